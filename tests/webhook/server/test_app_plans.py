"""Responses to `POST /validate`, over ASGI."""

import asyncio
import threading
from typing import Any

import pytest

from tests.support.asgi import Exchange, Response, send
from tests.support.builders import PREFIX, encode_review, minimal_pod, plan
from tests.support.fake_plans import FakePlans
from tests.support.recording_reporter import RecordingReporter
from webhook.model import Installation, Reason
from webhook.server import app, plan_reviews
from webhook.server.pod_reviews import PodReviewHandler


class Webhook:
    """The application; a look-up of a plan is an error."""

    def __init__(self) -> None:
        self.plans = FakePlans(Reason.PLAN_NOT_FOUND)
        self.plans.error = AssertionError("looked up")
        self.reporter = RecordingReporter()
        self.app = app.build(
            PodReviewHandler(self.plans, Installation()),
            Installation(),
            self.reporter,
            max_concurrent=2,
        )

    def __call__(self, body: bytes, **request: Any) -> Response:
        return asyncio.run(send(self.app, Exchange([body], **{"path": "/validate"} | request)))


def plan_review(rule: str) -> bytes:
    """Return the review of a Plan that has a rule in its annotation."""
    return encode_review(plan(affinity=rule), namespace="konveyor-forklift", name="db")


def test_an_invalid_plan_is_denied_with_location_and_caret() -> None:
    webhook = Webhook()
    response = webhook(plan_review("REQUIRE pods(app=ceph) on nodes"))
    assert response.status == 200
    where = f"Plan konveyor-forklift/db annotation {PREFIX}/affinity line 1 column 27"
    problem = (
        f"{where}: unknown topology 'nodes': expected node, zone, region, rack or a label key; "
        "did you mean 'node'?\n"
        "  REQUIRE pods(app=ceph) on nodes\n"
        "                            ^^^^^"
    )
    assert response.json()["response"] == {
        "uid": "u-1",
        "allowed": False,
        "status": {
            "code": 403,
            "reason": "SettingsInvalid",
            "message": f"plan 'konveyor-forklift/db' has invalid placement settings:\n{problem}",
        },
        "auditAnnotations": {
            "mode": "enforce",
            "outcome": "denied",
            "reason": "SettingsInvalid",
            "plan": "konveyor-forklift/db",
            "generation": "3",
            "problems": problem,
        },
    }
    assert webhook.reporter.reasons == ["SettingsInvalid"]


def test_a_valid_plan_is_admitted_without_a_look_up_of_a_plan() -> None:
    webhook = Webhook()
    body = webhook(plan_review("REQUIRE pods(app=ceph) on node")).json()["response"]
    assert (body["allowed"], body["auditAnnotations"]["reason"]) == (True, "SettingsValid")


def test_a_review_on_the_path_of_another_kind_is_skipped() -> None:
    webhook = Webhook()
    webhook(encode_review(minimal_pod()))
    webhook(plan_review("REQUIRE"), path="/mutate")
    assert webhook.reporter.reasons == ["NotAPlanChange", "NotAConvertorPod"]
    assert webhook.reporter.reviewed == ["plan", "pod"]


def test_after_an_internal_error_the_plan_is_admitted(monkeypatch: pytest.MonkeyPatch) -> None:
    def validate(*_: object) -> None:
        raise ZeroDivisionError("boom")

    monkeypatch.setattr(plan_reviews, "validate", validate)
    webhook = Webhook()
    response = webhook(plan_review("REQUIRE"))
    assert response.json() == {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "response": {
            "uid": "u-1",
            "allowed": True,
            "warnings": ["internal error of the webhook, see its log; the plan is not validated"],
            "auditAnnotations": {
                "mode": "enforce",
                "outcome": "failed",
                "reason": "InternalError",
            },
        },
    }
    assert [uid for uid, _error in webhook.reporter.errors] == ["u-1"]


def test_a_plan_that_takes_long_delays_no_pod_and_is_admitted_at_the_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended = threading.Event()
    monkeypatch.setattr(plan_reviews, "validate", lambda *_: ended.wait(10))
    webhook = Webhook()
    webhook.plans.error = None

    async def send_both() -> tuple[Response, Response]:
        exchange = Exchange([plan_review("REQUIRE")], path="/validate", query="timeout=150ms")
        validation = asyncio.create_task(send(webhook.app, exchange))
        await asyncio.sleep(0.01)
        placed = await send(webhook.app, Exchange([encode_review(minimal_pod())]))
        return placed, await validation

    try:
        _placed, admitted = asyncio.run(send_both())
    finally:
        ended.set()
    assert webhook.reporter.reviewed == ["pod", "plan"]
    assert webhook.reporter.reasons == ["PlanNotFound", "DeadlineExceeded"]
    body = admitted.json()["response"]
    assert body["allowed"] is True
    assert " ".join(body["warnings"]) == (
        "the plan could not be validated in time, because the webhook is busy with other plans: "
        "invalid settings are reported when a pod of the plan is created"
    )
