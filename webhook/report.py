"""What is told of a decision besides the answer: a log line, the metrics, an Event on the Plan.

Made from the Decision alone, here and nowhere else, and only after the answer has been
handed to the network: whoever waits for the answer does not wait for our bookkeeping.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import structlog

from webhook.events import Note, of_review
from webhook.metrics import Metrics
from webhook.model import Decision, Outcome, Request
from webhook.validate import PLAN

_QUIET = frozenset({Outcome.SKIPPED})
_LOUD = frozenset({Outcome.FAILED, Outcome.DENIED, Outcome.WOULD_DENY})


DELAY = 0.01
"""Seconds."""


class Reporter:
    """Tells what was decided, a moment later."""

    def __init__(self, metrics: Metrics, tell: Callable[[Note], None] | None = None) -> None:
        """Begin with nothing told; `tell` has Events written, where there is a cluster."""
        self._metrics = metrics
        self._tell = tell
        self._log = structlog.get_logger().bind()
        self._untold: list[tuple[Request | None, Decision, float]] = []

    def __call__(self, request: Request | None, decision: Decision, seconds: float) -> None:
        """Tell of this decision soon; `request` is None where there was none to read.

        Decisions are collected for a moment, because telling ten at once costs half of
        telling one ten times.
        """
        if not self._untold:
            asyncio.get_running_loop().call_later(DELAY, self.flush)
        self._untold.append((request, decision, seconds))

    def flush(self) -> None:
        """Tell of everything now."""
        untold, self._untold = self._untold, []
        for request, decision, seconds in untold:
            self._metrics.review(decision, seconds)
            self._log.log(_level(decision), decision.message, **_fields(request, decision, seconds))
            if self._tell and (note := of_review(request, decision)):
                self._tell(note)

    def bug(self, uid: str, error: Exception) -> None:
        """Tell of a fault of our own; the trace is for the log and for nobody else."""
        self._log.error("a review failed by a fault of the webhook", uid=uid, exc_info=error)


def _level(decision: Decision) -> int:
    if decision.outcome in _QUIET:
        return logging.DEBUG
    if decision.outcome in _LOUD or decision.problems:
        return logging.WARNING
    return logging.INFO


def _fields(request: Request | None, decision: Decision, seconds: float) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "outcome": decision.outcome,
        "reason": decision.reason,
        "mode": decision.mode,
    }
    if decision.plan is not None:
        fields["plan"] = str(decision.plan)
        fields["generation"] = decision.generation
    if decision.problems:
        fields["problems"] = [str(problem) for problem in decision.problems]
    if request is not None:
        fields["namespace"] = request.namespace
        if request.kind != PLAN:
            fields["pod"] = _pod_name(request)
        fields["uid"] = request.uid
        if request.dry_run:
            fields["dry_run"] = True
    fields["seconds"] = round(seconds, 6)
    return fields


def _pod_name(request: Request) -> str:
    """Its name, or what it begins with: at admission a generated name is not yet there."""
    metadata = request.object.get("metadata")
    if request.name or not isinstance(metadata, dict):
        return request.name
    return str(metadata.get("name") or metadata.get("generateName") or "")
