"""Reporter: the log line, metrics and Event of a decision."""

import asyncio
from collections import Counter
from typing import Any
from weakref import ref

import msgspec
import pytest
from structlog.testing import capture_logs

from tests.support.builders import minimal_pod
from webhook.admission.events import PlanEvent, derive_event
from webhook.model import Decision, Mode, Outcome, PlanRef, Problem, Reason, Request, Reviewed, Role
from webhook.telemetry import reporter as module
from webhook.telemetry.logs import MAX_TEXT_CHARACTERS
from webhook.telemetry.metrics import Metrics
from webhook.telemetry.reporter import Reporter

REQUEST = Request("u-1", "CREATE", "v1/Pod", "target", "db-vm-1-", object=minimal_pod())
PLACED = Decision(
    Outcome.PATCHED,
    Reason.PLACED,
    "placed with the settings of plan 'forklift/db'",
    plan=PlanRef("p-1", "forklift", "db"),
    generation=3,
)


def report(request: Request | None, *decisions: Decision) -> tuple[list[Any], Metrics]:
    async def scene() -> None:
        reporter = Reporter(metrics)
        for decision in decisions:
            reporter(Reviewed.POD, request, decision, 0.00042)
        assert lines == []
        while not lines:  # noqa: ASYNC110 - they come from a timer
            await asyncio.sleep(0.001)

    metrics = Metrics()
    with capture_logs() as lines:
        asyncio.run(scene())
    return lines, metrics


def test_a_placed_pod_is_logged_with_all_fields() -> None:
    lines, _ = report(REQUEST, PLACED)
    assert lines == [
        {
            "log_level": "info",
            "event": "placed with the settings of plan 'forklift/db'",
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


def test_problems_and_dry_runs_are_logged() -> None:
    problem = Problem("Plan forklift/db annotation a/mode", "unknown mode 'audti'")
    decision = Decision(Outcome.PATCHED, Reason.SETTINGS_INVALID, "half", problems=[problem])
    request = Request("u-1", dry_run=True, name="db-1")
    ((line,), _) = report(request, decision)
    assert [*line["problems"]] == ["Plan forklift/db annotation a/mode: unknown mode 'audti'"]
    assert line["dry_run"] is True
    assert line["pod"] == "db-1"


def test_a_malformed_review_is_logged_without_a_pod() -> None:
    decision = Decision(Outcome.FAILED, Reason.MALFORMED_REVIEW, "the body is not JSON")
    ((line,), _) = report(None, decision)
    assert line == {
        "log_level": "warning",
        "event": "the body is not JSON",
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
        (Outcome.REFUSED, "info"),
        (Outcome.WOULD_REFUSE, "info"),
        (Outcome.DENIED, "warning"),
        (Outcome.WOULD_DENY, "warning"),
        (Outcome.FAILED, "warning"),
    ],
)
def test_failures_and_denials_are_logged_as_warnings(outcome: Outcome, level: str) -> None:
    ((line,), _) = report(REQUEST, Decision(outcome, Reason.PLACED))
    assert line["log_level"] == level


@pytest.mark.parametrize("metadata", [None, [], {}, {"name": None}])
def test_a_malformed_pod_has_no_name(metadata: Any) -> None:
    ((line,), _) = report(Request("u-1", object={"metadata": metadata}), PLACED)
    assert "pod" not in line


def test_the_line_of_a_migration_pod_has_its_role() -> None:
    ((line,), _) = report(REQUEST, msgspec.structs.replace(PLACED, role=Role.IMPORTER))
    assert line["role"] == "importer"


def test_every_decision_is_counted_by_outcome_reason_mode_and_role() -> None:
    audited = Decision(
        Outcome.WOULD_PATCH, Reason.WOULD_PLACE, mode=Mode.AUDIT, role=Role.FIRST_CONSUMER
    )
    _, metrics = report(REQUEST, PLACED, PLACED, audited)

    def count(**labels: str) -> float | None:
        labels = {"reviewed": "pod", "role": ""} | labels
        return metrics.registry.get_sample_value("convertor_webhook_reviews_total", labels)

    assert count(outcome="patched", reason="Placed", mode="enforce") == 2
    by_role = {"outcome": "would-patch", "reason": "WouldPlace", "mode": "audit"}
    assert count(**by_role, role="first-consumer") == 1
    assert count(**by_role) is None
    assert count(outcome="failed", reason="InternalError", mode="enforce") == 0
    late = {"outcome": "failed", "reason": "DeadlineExceeded", "mode": "enforce"}
    assert [count(**late, role=role) for role in ("", *Role)] == [0] * 6
    name = "convertor_webhook_review_duration_seconds_bucket"
    assert metrics.registry.get_sample_value(name, {"reviewed": "pod", "le": "0.00025"}) == 0
    assert metrics.registry.get_sample_value(name, {"reviewed": "pod", "le": "0.0005"}) == 3


@pytest.mark.parametrize(
    ("request_", "role", "count"),
    [
        (REQUEST, Role.FIRST_CONSUMER, 1),
        (REQUEST, Role.IMPORTER, 0),
        (Request("u-1", namespace="target", name="a", dry_run=True), Role.FIRST_CONSUMER, 0),
    ],
    ids=["first consumer", "other role", "dry run"],
)
def test_a_refused_first_consumer_counts_until_it_is_admitted(
    request_: Request, role: Role, count: int
) -> None:
    refused = Decision(Outcome.REFUSED, Reason.WAITING_FOR_DISK, role=role)
    admitted = Decision(Outcome.PATCHED, Reason.PLACED, role=role)
    for decisions, expected in (([refused] * 2, count), ([refused, admitted], 0)):
        _, metrics = report(request_, *decisions)
        value = metrics.registry.get_sample_value("convertor_webhook_refused_importers")
        assert value == expected


def test_an_internal_error_is_logged_with_its_traceback() -> None:
    error = ZeroDivisionError("boom")
    with capture_logs() as lines:
        Reporter(Metrics()).report_error("u-1", error)
    assert lines == [
        {
            "log_level": "error",
            "event": "a review failed with an internal error",
            "uid": "u-1",
            "exc_info": error,
        }
    ]


def test_events_are_the_same_however_decisions_are_shared_and_collected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Decisions may be one object or equal ones, and come together or one after the other."""
    monkeypatch.setattr(module, "MAX_CACHED_EVENTS", 2)
    recorded, expected = Counter[PlanEvent](), Counter[PlanEvent]()

    def sink(event: PlanEvent, times: int = 1) -> None:
        recorded[event] += times

    async def scene() -> None:
        reporter = Reporter(Metrics(), sink)
        for number in (0, 0, 1, 2, 0, 3, 3, 1):
            for dry_run in (False, True):
                decision = shared[number % 2] if number < 2 else placed(number)
                request = Request("u-1", dry_run=dry_run, object=minimal_pod())
                reporter(Reviewed.POD, request, decision, 0.0)
                if event := derive_event(request, decision):
                    expected[event] += 1
            reporter.flush()

    def placed(number: int) -> Decision:
        return Decision(
            Outcome.PATCHED,
            Reason.PLACED,
            plan=PlanRef("p-1", "forklift", "db"),
            patch=[{"op": "add", "path": "/metadata/labels/number", "value": str(number)}],
        )

    shared = [placed(number) for number in range(2)]
    asyncio.run(scene())
    assert recorded == expected
    assert sorted(recorded.values()) == [1, 2, 2, 3]


def test_a_line_has_a_limited_size() -> None:
    problems = [Problem(f"Plan a/b {number}", "x" * 2**16) for number in range(300)]
    decision = msgspec.structs.replace(PLACED, message="m" * 2**20, problems=problems)
    (line,), _ = report(REQUEST, decision)

    assert len(line["event"]) == MAX_TEXT_CHARACTERS
    first, others = line["problems"]
    assert len(first) == MAX_TEXT_CHARACTERS
    assert others == "and 299 more"


def test_the_reporter_keeps_no_decision_that_the_cache_has_dropped() -> None:
    async def scene() -> None:
        reporter = Reporter(Metrics(), lambda _event, times=1: None)
        decision = msgspec.structs.replace(PLACED, generation=4)
        dropped = ref(decision)
        reporter(Reviewed.POD, REQUEST, decision, 0.0)
        reporter.flush()
        assert len(reporter._cached_events) == 1
        del decision
        assert dropped() is None
        assert reporter._cached_events == {}

    asyncio.run(scene())
