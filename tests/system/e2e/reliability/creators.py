"""Clients that create convertor pods without pause and count the results."""

import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import httpx

from tests.system.controlplane.api import Api, Json, of
from tests.system.guide.rows import PREFIX

CREATORS = 4
RETRY_SECONDS = 0.1
"""Before a rejected creation is repeated; Forklift's controllers do not repeat it."""
GIVE_UP_SECONDS = 15.0
"""After which a pod counts as lost."""
_CLOSED = (": EOF", ": connection reset by peer")


@dataclass
class Tally:
    """The results of the creations. A rejected creation is repeated, so few pods are lost."""

    placed: int = 0
    unplaced: int = 0
    """Created without their placement."""
    lost: int = 0
    rejected: int = 0
    """Rejected creations, not pods."""
    slowest: float = 0.0
    """Seconds of the slowest successful creation."""
    messages: Counter[str] = field(default_factory=Counter)
    """The API server's messages of the rejections."""
    times: list[float] = field(default_factory=list)
    """Monotonic times of the rejections."""

    @property
    def pods(self) -> int:
        return self.placed + self.unplaced + self.lost

    @property
    def closed(self) -> int:
        """The number of rejections because the connection was closed during the review.

        A server cannot close an idle HTTP/1.1 connection without the risk that the client is just
        sending a request, and the API server does not repeat a POST.
        """
        return sum(count for text, count in self.messages.items() if text.endswith(_CLOSED))

    @property
    def is_smooth(self) -> bool:
        """True if all pods were placed, with at most one rejection, by a closed connection."""
        harm = self.lost + self.unplaced + (self.rejected - self.closed)
        return not harm and self.closed <= 1

    @property
    def seconds_rejected(self) -> float:
        """The time from the first rejection to the last."""
        return max(self.times) - min(self.times) if self.times else 0.0

    def __str__(self) -> str:
        messages = "".join(f"\n  {count} x {text}" for text, count in self.messages.most_common(5))
        return (
            f"{self.pods} pods, {self.lost} lost, {self.unplaced} unplaced, "
            f"{self.rejected} creations rejected{messages}"
        )


class Creators:
    """Clients that create pods one after the other, during a `with` block.

    Every pod is deleted after it has been checked.
    """

    def __init__(self, api: Api, pods: list[Json], *, count: int = CREATORS) -> None:
        """`pods` are created in turn; they have a generateName."""
        self.tally = Tally()
        self._api, self._pods = api, pods
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._run, args=(number,), name=f"creator {number}")
            for number in range(count)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def more(self, pods: int, *, seconds: float = 60) -> None:
        """Return when this many more pods have been created."""
        goal = self.tally.pods + pods
        end = time.monotonic() + seconds
        while self.tally.pods < goal:
            assert time.monotonic() < end, f"waited {seconds:g} s for {pods} pods: {self.tally}"
            time.sleep(0.02)

    def _run(self, number: int) -> None:
        while not self._ended.is_set():
            for pod in self._pods[number:] + self._pods[:number]:
                if made := self._created(pod):
                    metadata = made["metadata"]
                    self._api.delete("Pod", metadata["name"], metadata["namespace"])

    def _created(self, pod: Json) -> Json:
        """Create the pod, with retries; return it, or an empty dict if it is lost."""
        end = time.monotonic() + GIVE_UP_SECONDS
        while True:
            began = time.monotonic()
            made, message = self._attempt(pod)
            took = time.monotonic() - began
            with self._lock:
                if made:
                    self.tally.slowest = max(self.tally.slowest, took)
                    if f"{PREFIX}/placement" in made["metadata"].get("annotations", {}):
                        self.tally.placed += 1
                    else:
                        self.tally.unplaced += 1
                    return made
                self.tally.rejected += 1
                self.tally.times.append(began)
                self.tally.messages[message] += 1
                if time.monotonic() > end:
                    self.tally.lost += 1
                    return {}
            time.sleep(RETRY_SECONDS)

    def _attempt(self, pod: Json) -> tuple[Json, str]:
        """Return the created pod, or the API server's message."""
        try:
            response = self._api.send("POST", of(pod), pod)
        except httpx.TransportError as error:
            return {}, repr(error)
        body: Json = response.json()
        return (body, "") if response.is_success else ({}, body["message"])
