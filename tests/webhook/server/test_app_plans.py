"""`POST /validate` over ASGI: plans are refused or let through, and nobody sees a trace."""

import asyncio

import pytest

from tests.support.asgi import Exchange, Response, send
from tests.support.builders import PREFIX, encode_review, minimal_pod, plan
from tests.support.fake_plans import FakePlans
from tests.support.recording_reporter import RecordingReporter
from webhook.model import Installation, Reason
from webhook.server import app


class Webhook:
    """The application; it has no use for the plans that are there already."""

    def __init__(self) -> None:
        self.plans = FakePlans(Reason.PLAN_NOT_FOUND)
        self.plans.error = AssertionError("looked up")
        self.reporter = RecordingReporter()
        self.app = app.build(self.plans, Installation(), self.reporter, max_concurrent=2)

    def __call__(self, body: bytes, path: str = "/validate") -> Response:
        return asyncio.run(send(self.app, Exchange([body], path=path)))


def plan_review(rule: str) -> bytes:
    """Return the review of a Plan that has a rule in its annotation."""
    return encode_review(plan(affinity=rule), namespace="konveyor-forklift", name="db")


def test_a_plan_that_cannot_be_carried_out_is_refused_with_place_and_caret() -> None:
    webhook = Webhook()
    answer = webhook(plan_review("REQUIRE pods(app=ceph) on nodes"))
    assert answer.status == 200
    where = f"Plan konveyor-forklift/db annotation {PREFIX}/affinity line 1 column 27"
    problem = (
        f"{where}: unknown topology 'nodes': expected node, zone, region, rack or a label key; "
        "did you mean 'node'?\n"
        "  REQUIRE pods(app=ceph) on nodes\n"
        "                            ^^^^^"
    )
    assert answer.json()["response"] == {
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


def test_a_sound_plan_is_let_through_without_a_look_at_the_plans() -> None:
    webhook = Webhook()
    answer = webhook(plan_review("REQUIRE pods(app=ceph) on node"))
    response = answer.json()["response"]
    assert (response["allowed"], response["auditAnnotations"]["reason"]) == (True, "SettingsValid")


def test_pods_and_plans_are_each_looked_at_on_their_own_path() -> None:
    webhook = Webhook()
    webhook(encode_review(minimal_pod()))
    webhook(plan_review("REQUIRE"), path="/mutate")
    assert webhook.reporter.reasons == ["NotAPlanChange", "NotAConvertorPod"]
    assert webhook.reporter.reviewed == ["plan", "pod"]


def test_a_bug_lets_the_plan_through(monkeypatch: pytest.MonkeyPatch) -> None:
    def validate(*_: object) -> None:
        raise ZeroDivisionError("boom")

    monkeypatch.setattr(app, "validate", validate)
    webhook = Webhook()
    answer = webhook(plan_review("REQUIRE"))
    assert answer.json() == {
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
    assert [uid for uid, _fault in webhook.reporter.errors] == ["u-1"]
