"""What is told of a decision besides the answer: a log line, the metrics, an Event on the Plan.

Made from the Decision alone, here and nowhere else, and only after the answer has been
handed to the network: whoever waits for the answer does not wait for our bookkeeping.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

import structlog

from webhook.admission.events import Note, of_review
from webhook.model import Decision, Mode, Outcome, Reason, Request, Reviewed
from webhook.telemetry import logs
from webhook.telemetry.logs import Level, Line
from webhook.telemetry.metrics import Metrics

_QUIET = frozenset({Outcome.SKIPPED})
_LOUD = frozenset({Outcome.FAILED, Outcome.DENIED, Outcome.WOULD_DENY})


DELAY = 0.01
"""Seconds from an answer to its log line."""

NOTES_DELAY = 0.5
"""Seconds from there to the Event, which is for people and can wait for more of its kind."""


NOTES_AT_ONCE = 4
"""Decisions of which notes are made before the next review has its turn; each takes 50 µs."""

NOTES_KEPT = 256
"""Decisions whose notes are kept: pods that are alike get one and the same (`admission.cache`)."""


class Tell(Protocol):
    """Who has Events written, and how many times something happened that one is about."""

    def __call__(self, note: Note, times: int = 1) -> None: ...


_Key = tuple[int, bool]
"""Which decision object, and whether about a dry run."""


@dataclass(slots=True)
class _Repeated:
    """A decision that was made again and again, about one of the pods."""

    request: Request
    decision: Decision
    times: int = 0


class Reporter:
    """Tells what was decided, a moment later."""

    def __init__(self, metrics: Metrics, tell: Tell | None = None) -> None:
        """Begin with nothing told; `tell` has Events written, where there is a cluster."""
        self._metrics = metrics
        self._tell = tell
        self._untold: list[tuple[Reviewed, Request | None, Decision, float]] = []
        self._unnoted: dict[_Key, _Repeated] = {}
        self._notes = Counter[Note]()
        self._made: dict[_Key, tuple[Decision, Note | None]] = {}

    def __call__(
        self, of: Reviewed, request: Request | None, decision: Decision, seconds: float
    ) -> None:
        """Tell of this decision soon; `request` is None where there was none to read.

        Decisions are collected for a moment, because telling ten at once costs half of
        telling one ten times. The objects of the review are let go at once: dozens of them
        kept alive cost more, in caches and in garbage collection, than all that is told.
        """
        if not self._untold:
            asyncio.get_running_loop().call_later(DELAY, self._flush)
        self._untold.append((of, request and _without_objects(request), decision, seconds))

    def flush(self) -> None:
        """Tell of everything now."""
        self._flush()
        while self._unnoted:
            self._hand_over()

    def _flush(self) -> None:
        untold, self._untold = self._untold, []
        logs.write([_line(*one) for one in untold])
        for of, request, decision, seconds in untold:
            self._metrics.review(of, decision, seconds)
            if self._tell and request:
                if not self._unnoted:
                    asyncio.get_running_loop().call_later(NOTES_DELAY, self._hand_over)
                key = (id(decision), request.dry_run)
                self._unnoted.setdefault(key, _Repeated(request, decision)).times += 1

    def _hand_over(self) -> None:
        """Make notes of a few decisions, and let reviews come in between; tell them all at once."""
        for key in [*islice(self._unnoted, NOTES_AT_ONCE)]:
            one = self._unnoted.pop(key)
            if note := self._note(key, one):
                self._notes[note] += one.times
        if self._unnoted:
            asyncio.get_running_loop().call_soon(self._hand_over)
            return
        notes, self._notes = self._notes, Counter()
        for note, times in notes.items():
            if self._tell:
                self._tell(note, times)

    def _note(self, key: _Key, one: _Repeated) -> Note | None:
        kept = self._made.get(key)
        if kept is None:
            if len(self._made) >= NOTES_KEPT:
                self._made.clear()
            # The decision is held as well, so that its id stays its own.
            kept = self._made[key] = (one.decision, of_review(one.request, one.decision))
        return kept[1]

    def bug(self, uid: str, error: Exception) -> None:
        """Tell of a fault of our own; the trace is for the log and for nobody else."""
        structlog.get_logger().error(
            "a review failed by a fault of the webhook", uid=uid, exc_info=error
        )


class ReviewLine(Line, kw_only=True):
    """What the log says of a review."""

    outcome: Outcome
    reason: Reason
    mode: Mode
    plan: str = ""
    generation: int = 0
    problems: tuple[str, ...] = ()
    namespace: str = ""
    pod: str = ""
    uid: str = ""
    dry_run: bool = False
    seconds: float


def _line(of: Reviewed, request: Request | None, decision: Decision, seconds: float) -> ReviewLine:
    asked = request or _NO_REQUEST
    return ReviewLine(
        level=_level(decision),
        message=decision.message,
        outcome=decision.outcome,
        reason=decision.reason,
        mode=decision.mode,
        plan=str(decision.plan or ""),
        generation=decision.generation,
        problems=tuple(map(str, decision.problems)),
        namespace=asked.namespace,
        pod=asked.name if of is Reviewed.POD else "",
        uid=asked.uid,
        dry_run=asked.dry_run,
        seconds=round(seconds, 6),
    )


def _level(decision: Decision) -> Level:
    if decision.outcome in _QUIET:
        return Level.DEBUG
    if decision.outcome in _LOUD or decision.problems:
        return Level.WARNING
    return Level.INFO


_NO_REQUEST = Request("")


def _without_objects(request: Request) -> Request:
    return Request(
        uid=request.uid,
        kind=request.kind,
        namespace=request.namespace,
        name=_name(request),
        dry_run=request.dry_run,
    )


def _name(request: Request) -> str:
    """Its name, or what it begins with: at admission a generated name is not yet there."""
    metadata = request.object.get("metadata")
    if request.name or not isinstance(metadata, dict):
        return request.name
    return str(metadata.get("name") or metadata.get("generateName") or "")
