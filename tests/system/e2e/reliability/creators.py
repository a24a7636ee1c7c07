"""Somebody who creates convertor pods without pause, and counts what becomes of them."""

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
AGAIN = 0.1
"""Seconds before a pod that was refused is tried again, which Forklift's controllers do not do."""
GIVEN_UP = 15.0
"""Seconds of trying after which a pod counts as lost."""
_CLOSED = (": EOF", ": connection reset by peer")


@dataclass
class Tally:
    """What became of the pods. A refused creation is tried again, so that few pods are lost."""

    placed: int = 0
    unplaced: int = 0
    """Created, and the webhook had no say."""
    lost: int = 0
    refused: int = 0
    """Creations, not pods."""
    slowest: float = 0.0
    """Seconds that the slowest creation took that was not refused."""
    why: Counter[str] = field(default_factory=Counter)
    """What the API server said to those that were refused."""
    when: list[float] = field(default_factory=list)
    """Monotonic times of them."""

    @property
    def pods(self) -> int:
        return self.placed + self.unplaced + self.lost

    @property
    def closed(self) -> int:
        """Of those refused, how many because the connection ended under the review.

        HTTP/1.1 has no way to close an idle connection that a client may not be writing to at
        that moment, and the API server does not repeat a POST.
        """
        return sum(count for text, count in self.why.items() if text.endswith(_CLOSED))

    @property
    def is_smooth(self) -> bool:
        """Whether all were created and placed, with one closed connection in the way at most."""
        harm = self.lost + self.unplaced + (self.refused - self.closed)
        return not harm and self.closed <= 1

    @property
    def seconds_refused(self) -> float:
        """From the first refusal to the last one."""
        return max(self.when) - min(self.when) if self.when else 0.0

    def __str__(self) -> str:
        why = "".join(f"\n  {count} x {text}" for text, count in self.why.most_common(5))
        return (
            f"{self.pods} pods, {self.lost} lost, {self.unplaced} unplaced, "
            f"{self.refused} creations refused{why}"
        )


class Creators:
    """Several at once, from `start` to `stop`, each with one pod after the other.

    Every pod is deleted when it has been looked at, as Forklift does when a VM is migrated.
    """

    def __init__(self, api: Api, pods: list[Json], *, count: int = CREATORS) -> None:
        """`pods` have no names of their own, and are created in turn."""
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
        """Return when so many more pods have been created."""
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
        """Create the pod, sooner or later; return it, empty where it was lost."""
        end = time.monotonic() + GIVEN_UP
        while True:
            began = time.monotonic()
            made, refusal = self._attempt(pod)
            took = time.monotonic() - began
            with self._lock:
                if made:
                    self.tally.slowest = max(self.tally.slowest, took)
                    if f"{PREFIX}/placement" in made["metadata"].get("annotations", {}):
                        self.tally.placed += 1
                    else:
                        self.tally.unplaced += 1
                    return made
                self.tally.refused += 1
                self.tally.when.append(began)
                self.tally.why[refusal] += 1
                if time.monotonic() > end:
                    self.tally.lost += 1
                    return {}
            time.sleep(AGAIN)

    def _attempt(self, pod: Json) -> tuple[Json, str]:
        """Return the pod as it was made, or what the API server said."""
        try:
            answer = self._api.send("POST", of(pod), pod)
        except httpx.TransportError as error:
            return {}, repr(error)
        body: Json = answer.json()
        return (body, "") if answer.is_success else ({}, body["message"])
