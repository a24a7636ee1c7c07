"""Event recorder: writes Events to the API server, in a thread of its own.

Callers never wait. Events are queued, and those that do not fit into the queue are dropped and
counted. Equal Events are aggregated into one series, whose count is updated from time to time.
Different Events on one Plan are rate-limited, with the limits of client-go's spam filter.
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
from webhook.admission.events import Occurrences, PlanEvent
from webhook.inventory.clock import format_time
from webhook.kube.api.client import Client
from webhook.kube.api.errors import ApiError
from webhook.model import Reason

log = structlog.get_logger()

QUEUE_SIZE = 1000
MAX_SERIES = 1000
"""Series and rate limits that are kept, so that later Events are counted and limited."""
REQUEST_TIMEOUT_SECONDS = 5.0
MAX_ATTEMPTS = 5
DROP_CAUSES = ("full", "limited", "failed")
"""Causes of a dropped Event: `full`, the queue or the series kept had no room; `limited`, the rate
limit of its Plan and reason; `failed`, the API server did not accept it."""

BURST = 25
"""New Events on one Plan with one reason, before they are limited."""


class RecorderTiming(NamedTuple):
    """The intervals of updates, retries and rate limits."""

    update_interval_seconds: float = 30.0
    """Between two updates of the count of an Event."""
    max_idle_seconds: float = 600.0
    """After which an equal Event starts a new series."""
    initial_backoff_seconds: float = 2.0
    """Before the second attempt at a failed request; doubled after each failure."""
    refill_seconds: float = 300.0
    """In which the rate limit of a Plan and reason admits one more Event after the burst."""


class _Series:
    """Equal Events, and how many of them the Event in the API server counts."""

    def __init__(self, name: str, now: float) -> None:
        self.name = name
        self.count = 0
        self.written = 0
        self.first = self.last = self.due = now
        self.failures = 0


class EventRecorder:
    """Records Events on Plans in the cluster of `client`."""

    def __init__(
        self,
        client: Client,
        timing: RecorderTiming | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.dropped = Counter[str]()
        """The number of dropped Events, by cause."""
        self._client = client
        self._timing = timing or RecorderTiming()
        self._clock = clock
        self._instance = f"{socket.gethostname()}-{uuid.uuid4().hex[:8]}"
        self._queue: Queue[tuple[PlanEvent, int] | None] = Queue(QUEUE_SIZE)
        self._series: dict[PlanEvent, _Series] = {}
        self._tokens: dict[tuple[str, str, Reason], tuple[float, float]] = {}
        """The tokens left of each Plan and reason, and the time at which they were counted."""
        self._last_error = ""
        self._aborted = False
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)

    def __call__(self, event: PlanEvent, times: int = 1) -> None:
        """Queue an Event that happened `times` times; return at once."""
        try:
            self._queue.put_nowait((event, times))
        except Full:
            self.dropped["full"] += times

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Write the Events that are pending, in at most a second."""
        with contextlib.suppress(Full):
            self._queue.put_nowait(None)
            self._thread.join(1.0)
        self._aborted = True

    def _run(self) -> None:
        stopping = False
        while not (stopping or self._aborted):
            with contextlib.suppress(Empty):
                queued = self._queue.get(timeout=self._seconds_until_due())
                stopping = queued is None
                if queued is not None:
                    self._aggregate(*queued)
            self._write_due(everything=stopping)

    def _seconds_until_due(self) -> float | None:
        """Return the time until the next write; None if none is due."""
        due = [series.due for series in self._series.values() if series.written < series.count]
        return max(min(due) - self._clock(), 0.001) if due else None

    def _aggregate(self, event: PlanEvent, times: int) -> None:
        now = self._clock()
        series = self._series.pop(event, None)
        if series is not None and now - series.last > self._timing.max_idle_seconds:
            series = None
        if series is None:
            if not self._take_token(event, now):
                self.dropped["limited"] += times
                return
            series = _Series(events.derive_name(event, self._instance), now)
        series.count, series.last = series.count + times, now
        self._series[event] = series  # inserted last: the least recently used is evicted first
        if len(self._series) > MAX_SERIES:
            evicted = self._series.pop(next(iter(self._series)))
            self.dropped["full"] += evicted.count - evicted.written

    def _take_token(self, event: PlanEvent, now: float) -> bool:
        """Return True if the rate limit of the Plan and reason admits a new Event now.

        Each reason has its own limit, so that many Events of one do not hide another.
        """
        key = (event.plan.namespace, event.plan.name, event.reason)
        left, since = self._tokens.pop(key, (float(BURST), now))
        left = min(left + (now - since) / self._timing.refill_seconds, BURST)
        admitted = left >= 1
        self._tokens[key] = (left - admitted, now)
        if len(self._tokens) > MAX_SERIES:
            del self._tokens[next(iter(self._tokens))]
        return admitted

    def _write_due(self, *, everything: bool) -> None:
        for event, series in list(self._series.items()):
            if self._aborted:
                return
            if series.written < series.count and (everything or series.due <= self._clock()):
                self._write(event, series)

    def _write(self, event: PlanEvent, series: _Series) -> None:
        count = series.count
        try:
            self._patch_or_create(event, series)
        except ApiError as error:
            if not self._aborted:
                self._retry_or_drop(event, series, error)
            return
        except Exception:  # an internal error: only this Event is dropped
            log.exception("an Event cannot be built", plan=str(event.plan))
            self._drop(event, series)
            return
        self._log_change("")
        series.written, series.failures = count, 0
        series.due = self._clock() + self._timing.update_interval_seconds

    def _patch_or_create(self, event: PlanEvent, series: _Series) -> None:
        path = f"/api/v1/namespaces/{event.plan.namespace}/events"
        timeout = REQUEST_TIMEOUT_SECONDS
        if series.written:
            changes = {"count": series.count, "lastTimestamp": _rfc3339(series.last)}
            try:
                self._client.send(
                    "PATCH", f"{path}/{series.name}", changes, timeout_seconds=timeout
                )
            except ApiError as error:
                if error.status != 404:  # the API server deletes Events after an hour
                    raise
            else:
                return
        occurrences = Occurrences(series.count, _rfc3339(series.first), _rfc3339(series.last))
        event_object = events.build_object(event, series.name, self._instance, occurrences)
        try:
            self._client.send("POST", path, event_object, timeout_seconds=timeout)
        except ApiError as error:
            if error.status != 409:  # another replica has created it
                raise

    def _retry_or_drop(self, event: PlanEvent, series: _Series, error: ApiError) -> None:
        self._log_change(str(error))
        series.failures += 1
        if error.status in (0, 429) or error.status >= 500:
            delay = self._timing.initial_backoff_seconds * 2 ** (series.failures - 1)
            series.due = self._clock() + max(error.retry_after, delay)
            if series.failures < MAX_ATTEMPTS:
                return
        self._drop(event, series)

    def _drop(self, event: PlanEvent, series: _Series) -> None:
        self.dropped["failed"] += series.count - series.written
        del self._series[event]

    def _log_change(self, error: str) -> None:
        """Log an error once, until there is another one or none."""
        if error and error != self._last_error:
            log.warning("an Event cannot be written", error=error)
        elif self._last_error and not error:
            log.info("Events are written again")
        self._last_error = error


def _rfc3339(seconds: float) -> str:
    return format_time(datetime.fromtimestamp(seconds, UTC))
