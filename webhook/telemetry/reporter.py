"""Reporter of decisions: a log line, metrics and an Event on the Plan for each.

All three are made from the Decision alone, and only after the response has been handed to the
network, so that they do not delay it.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass
from time import perf_counter
from typing import Protocol
from weakref import ref

import structlog

from webhook.admission.events import PlanEvent, derive_event
from webhook.model import Decision, Mode, Outcome, Reason, Request, Reviewed, Role
from webhook.telemetry import logs
from webhook.telemetry.logs import Level, Line, bound, bound_list
from webhook.telemetry.metrics import Metrics
from webhook.telemetry.refusals import Refusals

_DEBUG_OUTCOMES = frozenset({Outcome.SKIPPED})
_WARNING_OUTCOMES = frozenset({Outcome.FAILED, Outcome.DENIED, Outcome.WOULD_DENY})

LOG_DELAY_SECONDS = 0.01
"""From a response to its log line."""

EVENT_DELAY_SECONDS = 0.5
"""From the log line to the Event, during which equal Events are collected."""

TURN_SECONDS = 0.0002
"""In which Events are derived before the event loop may run a review. One takes 50 µs, or many
milliseconds if it summarizes a patch of a thousand operations."""

MAX_CACHED_EVENTS = 256
"""Decisions whose Event is cached: similar pods share one Decision (`admission.cache`)."""


class EventSink(Protocol):
    """Records an Event that happened a number of times: `event_recorder.EventRecorder`."""

    def __call__(self, event: PlanEvent, times: int = 1) -> None: ...


_Key = int
"""The id of a Decision."""


@dataclass(slots=True)
class _RepeatedDecision:
    """A Decision that several pods share, and the request of one of them."""

    request: Request
    decision: Decision
    times: int = 0


class Reporter:
    """Reports decisions, shortly after the response."""

    def __init__(self, metrics: Metrics, event_sink: EventSink | None = None) -> None:
        """Report to `metrics`, the log and `event_sink`; it is None without a cluster."""
        self._metrics = metrics
        self._event_sink = event_sink
        self._refusals = Refusals()
        metrics.export_refusals(self._refusals.status)
        self._pending: list[tuple[Reviewed, Request | None, Decision, float]] = []
        self._pending_events: dict[_Key, _RepeatedDecision] = {}
        self._collected_events = Counter[PlanEvent]()
        self._cached_events: dict[_Key, tuple[ref[Decision], PlanEvent | None]] = {}

    def __call__(
        self, reviewed: Reviewed, request: Request | None, decision: Decision, seconds: float
    ) -> None:
        """Report this decision soon; `request` is None if it could not be decoded.

        Decisions are collected for a moment, because reporting ten at once costs half as much as
        reporting each alone. The objects of the review are released at once: keeping dozens of
        them costs more, in caches and garbage collection, than the reports themselves.
        """
        if not self._pending:
            asyncio.get_running_loop().call_later(LOG_DELAY_SECONDS, self._report_pending)
        self._pending.append((reviewed, request and _without_objects(request), decision, seconds))

    def flush(self) -> None:
        """Report everything that is pending now."""
        self._report_pending()
        while self._pending_events:
            self._derive_events()

    def _report_pending(self) -> None:
        pending, self._pending = self._pending, []
        logs.write([_log_line(*each) for each in pending])
        for reviewed, request, decision, seconds in pending:
            self._metrics.observe_review(reviewed, decision, seconds)
            if request and decision.role is Role.FIRST_CONSUMER and not request.dry_run:
                self._refusals.record((request.namespace, request.name), decision.outcome)
            if self._event_sink and request and not request.dry_run:
                if not self._pending_events:
                    loop = asyncio.get_running_loop()
                    loop.call_later(EVENT_DELAY_SECONDS, self._derive_events)
                key = id(decision)
                repeated = _RepeatedDecision(request, decision)
                self._pending_events.setdefault(key, repeated).times += 1

    def _derive_events(self) -> None:
        """Derive the Events of a few decisions and yield to reviews; record all at the end."""
        end = perf_counter() + TURN_SECONDS
        while self._pending_events:
            key = next(iter(self._pending_events))
            repeated = self._pending_events.pop(key)
            if event := self._cached_event(key, repeated):
                self._collected_events[event] += repeated.times
            if perf_counter() > end:
                break
        if self._pending_events:
            asyncio.get_running_loop().call_soon(self._derive_events)
            return
        collected, self._collected_events = self._collected_events, Counter()
        for event, times in collected.items():
            if self._event_sink:
                self._event_sink(event, times)

    def _cached_event(self, key: _Key, repeated: _RepeatedDecision) -> PlanEvent | None:
        cached = self._cached_events.get(key)
        if cached is None:
            if len(self._cached_events) >= MAX_CACHED_EVENTS:
                self._cached_events.clear()
            event = derive_event(repeated.request, repeated.decision)
            # While the Decision lives, no other object has its id. Its patch may have megabytes.
            decision = ref(repeated.decision, lambda _: self._cached_events.pop(key, None))
            cached = self._cached_events[key] = (decision, event)
        return cached[1]

    def report_error(self, uid: str, error: Exception) -> None:
        """Log an internal error with its traceback, which no response contains."""
        structlog.get_logger().error(
            "a review failed with an internal error", uid=uid, exc_info=error
        )


class ReviewLine(Line, kw_only=True):
    """The log line of a review."""

    outcome: Outcome
    reason: Reason
    mode: Mode
    role: str = ""
    plan: str = ""
    generation: int = 0
    problems: tuple[str, ...] = ()
    namespace: str = ""
    pod: str = ""
    uid: str = ""
    dry_run: bool = False
    seconds: float


def _log_line(
    reviewed: Reviewed, request: Request | None, decision: Decision, seconds: float
) -> ReviewLine:
    request = request or _NO_REQUEST
    return ReviewLine(
        level=_level(decision),
        message=bound(decision.message),
        outcome=decision.outcome,
        reason=decision.reason,
        mode=decision.mode,
        role=decision.role or "",
        plan=str(decision.plan or ""),
        generation=decision.generation,
        problems=tuple(bound_list(decision.problems)),
        namespace=request.namespace,
        pod=request.name if reviewed is Reviewed.POD else "",
        uid=request.uid,
        dry_run=request.dry_run,
        seconds=round(seconds, 6),
    )


def _level(decision: Decision) -> Level:
    if decision.outcome in _DEBUG_OUTCOMES:
        return Level.DEBUG
    if decision.outcome in _WARNING_OUTCOMES or decision.problems:
        return Level.WARNING
    return Level.INFO


_NO_REQUEST = Request("")


def _without_objects(request: Request) -> Request:
    return Request(
        uid=request.uid,
        kind=request.kind,
        namespace=request.namespace,
        name=request.name,
        dry_run=request.dry_run,
    )
