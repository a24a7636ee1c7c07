"""What is told of a decision: the log line and the metrics, whole."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.support.fakes import pod
from webhook.admission.events import Note, of_review
from webhook.model import Decision, Mode, Outcome, PlanRef, Problem, Reason, Request, Reviewed
from webhook.telemetry import reporter as module
from webhook.telemetry.metrics import Metrics
from webhook.telemetry.reporter import Reporter

REQUEST = Request("u-1", "CREATE", "v1/Pod", "target", object=pod())
PLACED = Decision(
    Outcome.PATCHED,
    Reason.PLACED,
    "placed as plan 'forklift/db' asks",
    plan=PlanRef("p-1", "forklift", "db"),
    generation=3,
)


def told(request: Request | None, *decisions: Decision) -> tuple[list[Any], Metrics]:
    async def scene() -> None:
        report = Reporter(metrics)
        for decision in decisions:
            report(Reviewed.POD, request, decision, 0.00042)
        assert lines == []
        while not lines:  # noqa: ASYNC110 - they come from a timer
            await asyncio.sleep(0.001)

    metrics = Metrics()
    with capture_logs() as lines:
        asyncio.run(scene())
    return lines, metrics


def test_a_placed_pod_is_a_line_that_says_all() -> None:
    lines, _ = told(REQUEST, PLACED)
    assert lines == [
        {
            "log_level": "info",
            "event": "placed as plan 'forklift/db' asks",
            "outcome": "patched",
            "reason": "Placed",
            "mode": "enforce",
            "plan": "forklift/db",
            "generation": 3,
            "namespace": "target",
            "pod": "db-vm-1-",
            "uid": "u-1",
            "seconds": 0.00042,
        }
    ]


def test_problems_and_dry_runs_are_told() -> None:
    problem = Problem("Plan forklift/db annotation a/mode", "unknown mode 'audti'")
    decision = Decision(Outcome.PATCHED, Reason.SETTINGS_INVALID, "half", problems=[problem])
    request = Request("u-1", dry_run=True, name="db-1")
    ((line,), _) = told(request, decision)
    assert [*line["problems"]] == ["Plan forklift/db annotation a/mode: unknown mode 'audti'"]
    assert line["dry_run"] is True
    assert line["pod"] == "db-1"


def test_what_was_no_review_is_told_without_a_pod() -> None:
    decision = Decision(Outcome.FAILED, Reason.MALFORMED_REVIEW, "the body is no JSON")
    ((line,), _) = told(None, decision)
    assert line == {
        "log_level": "warning",
        "event": "the body is no JSON",
        "outcome": "failed",
        "reason": "MalformedReview",
        "mode": "enforce",
        "seconds": 0.00042,
    }


@pytest.mark.parametrize(
    ("outcome", "level"),
    [
        (Outcome.SKIPPED, "debug"),
        (Outcome.PATCHED, "info"),
        (Outcome.UNCHANGED, "info"),
        (Outcome.WOULD_PATCH, "info"),
        (Outcome.DENIED, "warning"),
        (Outcome.WOULD_DENY, "warning"),
        (Outcome.FAILED, "warning"),
    ],
)
def test_what_somebody_should_look_at_is_louder(outcome: Outcome, level: str) -> None:
    ((line,), _) = told(REQUEST, Decision(outcome, Reason.PLACED))
    assert line["log_level"] == level


@pytest.mark.parametrize("metadata", [None, [], {}, {"name": None}])
def test_an_odd_pod_has_no_name(metadata: Any) -> None:
    ((line,), _) = told(Request("u-1", object={"metadata": metadata}), PLACED)
    assert "pod" not in line


def test_every_decision_is_counted_by_what_why_and_mode() -> None:
    audited = Decision(Outcome.WOULD_PATCH, Reason.WOULD_PLACE, mode=Mode.AUDIT)
    _, metrics = told(REQUEST, PLACED, PLACED, audited)

    def count(**labels: str) -> float | None:
        labels["reviewed"] = "pod"
        return metrics.registry.get_sample_value("convertor_webhook_reviews_total", labels)

    assert count(outcome="patched", reason="Placed", mode="enforce") == 2
    assert count(outcome="would-patch", reason="WouldPlace", mode="audit") == 1
    assert count(outcome="failed", reason="InternalError", mode="enforce") == 0
    name = "convertor_webhook_review_duration_seconds_bucket"
    assert metrics.registry.get_sample_value(name, {"reviewed": "pod", "le": "0.00025"}) == 0
    assert metrics.registry.get_sample_value(name, {"reviewed": "pod", "le": "0.0005"}) == 3


def test_a_bug_is_told_with_its_trace() -> None:
    error = ZeroDivisionError("boom")
    with capture_logs() as lines:
        Reporter(Metrics()).bug("u-1", error)
    assert lines == [
        {
            "log_level": "error",
            "event": "a review failed by a fault of the webhook",
            "uid": "u-1",
            "exc_info": error,
        }
    ]


def test_every_decision_is_noted_as_if_it_were_the_only_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whether decisions are one object or many, come together or one after the other."""
    monkeypatch.setattr(module, "NOTES_KEPT", 2)
    noted, expected = Counter[Note](), Counter[Note]()

    def tell(note: Note, times: int = 1) -> None:
        noted[note] += times

    async def scene() -> None:
        report = Reporter(Metrics(), tell)
        for number in (0, 0, 1, 2, 0, 3, 3, 1):
            for dry_run in (False, True):
                decision = alike[number % 2] if number < 2 else placed(number)
                request = Request("u-1", dry_run=dry_run, object=pod())
                report(Reviewed.POD, request, decision, 0.0)
                if note := of_review(request, decision):
                    expected[note] += 1
            report.flush()

    def placed(number: int) -> Decision:
        return Decision(
            Outcome.PATCHED,
            Reason.PLACED,
            plan=PlanRef("p-1", "forklift", "db"),
            patch=[{"op": "add", "path": "/metadata/labels/number", "value": str(number)}],
        )

    alike = [placed(number) for number in range(2)]
    asyncio.run(scene())
    assert noted == expected
    assert sorted(noted.values()) == [1, 2, 2, 3]
