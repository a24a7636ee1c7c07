"""Writes Events: in a thread of its own, each once, and not too many.

Nobody waits for it. What it is given goes into a queue with an end, and what does not fit is
counted and forgotten. Equal notes are one Event whose count is brought up to date now and then;
different ones on one Plan are limited as client-go's recorder does.
"""

import contextlib
import socket
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from queue import Empty, Full, Queue
from typing import NamedTuple

import structlog

from webhook.admission import events
from webhook.admission.events import Note, Times
from webhook.kube.api.client import ApiError, Client
from webhook.model import Reason

log = structlog.get_logger()

QUEUE = 1000
KNOWN = 1000
"""Notes that are remembered, to be counted when they come again."""
CALL_SECONDS = 5.0
TRIES = 5
CAUSES = ("full", "limited", "failed")
"""Why a note is told in no Event: the queue was full, or what is remembered while the API server
takes none; its Plan has had too many; or the API server did not take it."""


BURST = 25
"""New Events on one Plan with one reason, before they are limited."""


class Timing(NamedTuple):
    """In seconds."""

    update: float = 30.0
    """Between two writes of one Event's count."""
    forget: float = 600.0
    """After which a note that comes again is a new Event."""
    retry: float = 2.0
    """Before the second try of a write that failed; it doubles with each failure."""
    refill: float = 300.0
    """In which a Plan that has had its burst may have one more new Event with the same reason."""


class _Series:
    """An Event, and how much of it has been written."""

    def __init__(self, name: str, now: float) -> None:
        self.name = name
        self.count = 0
        self.written = 0
        self.first = self.last = self.due = now
        self.failures = 0


class Recorder:
    """Puts Events on Plans in the cluster behind `client`."""

    def __init__(
        self,
        client: Client,
        timing: Timing | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.dropped = Counter[str]()
        """How many notes became no Event, by cause."""
        self._client = client
        self._timing = timing or Timing()
        self._clock = clock
        self._instance = f"{socket.gethostname()}-{uuid.uuid4().hex[:8]}"
        self._queue: Queue[tuple[Note, int] | None] = Queue(QUEUE)
        self._series: dict[Note, _Series] = {}
        self._budgets: dict[tuple[str, str, Reason], tuple[float, float]] = {}
        self._fault = ""
        self._abandoned = False
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)

    def __call__(self, note: Note, times: int = 1) -> None:
        """Have this told soon, or never; returns at once. It came so many times."""
        try:
            self._queue.put_nowait((note, times))
        except Full:
            self.dropped["full"] += times

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Write what is still to be written, in a second at the most."""
        with contextlib.suppress(Full):
            self._queue.put_nowait(None)
            self._thread.join(1.0)
        self._abandoned = True

    def _run(self) -> None:
        stopping = False
        while not (stopping or self._abandoned):
            with contextlib.suppress(Empty):
                noted = self._queue.get(timeout=self._rest())
                stopping = noted is None
                if noted is not None:
                    self._take(*noted)
            self._write_due(everything=stopping)

    def _rest(self) -> float | None:
        """Return the seconds until something is to be written; None when nothing is."""
        due = [series.due for series in self._series.values() if series.written < series.count]
        return max(min(due) - self._clock(), 0.001) if due else None

    def _take(self, note: Note, times: int) -> None:
        now = self._clock()
        series = self._series.pop(note, None)
        if series is not None and now - series.last > self._timing.forget:
            series = None
        if series is None:
            if not self._may_begin(note, now):
                self.dropped["limited"] += times
                return
            series = _Series(events.name_of(note, self._instance), now)
        series.count, series.last = series.count + times, now
        self._series[note] = series  # last in its dictionary: the first are forgotten first
        if len(self._series) > KNOWN:
            forgotten = self._series.pop(next(iter(self._series)))
            self.dropped["full"] += forgotten.count - forgotten.written

    def _may_begin(self, note: Note, now: float) -> bool:
        """Take from the budget of the Plan and the reason; one mishap hides no other."""
        key = (note.plan.namespace, note.plan.name, note.reason)
        left, since = self._budgets.pop(key, (float(BURST), now))
        left = min(left + (now - since) / self._timing.refill, BURST)
        allowed = left >= 1
        self._budgets[key] = (left - allowed, now)
        if len(self._budgets) > KNOWN:
            del self._budgets[next(iter(self._budgets))]
        return allowed

    def _write_due(self, *, everything: bool) -> None:
        for note, series in list(self._series.items()):
            if self._abandoned:
                return
            if series.written < series.count and (everything or series.due <= self._clock()):
                self._write(note, series)

    def _write(self, note: Note, series: _Series) -> None:
        count = series.count
        try:
            self._send(note, series)
        except ApiError as error:
            if not self._abandoned:
                self._failed(note, series, error)
            return
        except Exception:  # a fault of ours: the note goes, all others are written
            log.exception("an Event cannot be made", plan=str(note.plan))
            self._drop(note, series)
            return
        self._say("")
        series.written, series.failures = count, 0
        series.due = self._clock() + self._timing.update

    def _send(self, note: Note, series: _Series) -> None:
        path = f"/api/v1/namespaces/{note.plan.namespace}/events"
        if series.written:
            changes = {"count": series.count, "lastTimestamp": _rfc3339(series.last)}
            try:
                self._client.send("PATCH", f"{path}/{series.name}", changes, seconds=CALL_SECONDS)
            except ApiError as error:
                if error.status != 404:  # Kubernetes forgets Events after an hour
                    raise
            else:
                return
        times = Times(series.count, _rfc3339(series.first), _rfc3339(series.last))
        event = events.body(note, series.name, self._instance, times)
        try:
            self._client.send("POST", path, event, seconds=CALL_SECONDS)
        except ApiError as error:
            if error.status != 409:  # another replica has told it
                raise

    def _failed(self, note: Note, series: _Series, error: ApiError) -> None:
        """Try again later where that may help; else let it be."""
        self._say(str(error))
        series.failures += 1
        if error.status in (0, 429) or error.status >= 500:
            delay = self._timing.retry * 2 ** (series.failures - 1)
            series.due = self._clock() + max(error.retry_after, delay)
            if series.failures < TRIES:
                return
        self._drop(note, series)

    def _drop(self, note: Note, series: _Series) -> None:
        self.dropped["failed"] += series.count - series.written
        del self._series[note]

    def _say(self, fault: str) -> None:
        """Log what is wrong when it changes, not each time."""
        if fault and fault != self._fault:
            log.warning("an Event cannot be written", error=fault)
        elif self._fault and not fault:
            log.info("Events are written again")
        self._fault = fault


def _rfc3339(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
