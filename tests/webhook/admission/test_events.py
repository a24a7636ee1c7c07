"""Which decisions are told on a Plan, and the Event that comes of it."""

import pytest

from tests.support.placing import NO_QUANTITY, OWNER, decided, plan, pod, request
from webhook.admission import events
from webhook.admission.events import Note, Pod, Times, of_review
from webhook.model import Decision, Installation, Mode, OnError, Outcome, Plan, PlanRef, Reason

PLACED = "placed as plan 'konveyor-forklift/db' asks: labels batch=1"
WOULD = (
    "mode audit, nothing is changed: would be placed as plan 'konveyor-forklift/db' asks: "
    "labels app=virt-v2v,forklift.app/plan=db,batch=1"
)
INVALID = (
    "not all that plan 'konveyor-forklift/db' asks can be done: "
    "Plan konveyor-forklift/db spec.convertorNodeSelector: 'x+' is no quantity"
)
ELSEWHERE = (
    "plan 'konveyor-forklift/db' migrates into namespace 'target', so this pod in 'other' is none "
    "of its pods and is not placed"
)
PROBLEM = plan(labels={"batch": "1"}, problems=[NO_QUANTITY])
BATCH = plan(labels={"batch": "1"})


def note(reason: Reason = Reason.PLACED, message: str = PLACED, **more: object) -> Note:
    return Note(OWNER, 3, reason, message, reason is not Reason.PLACED, **more)  # type: ignore[arg-type]


def test_what_was_done_is_told() -> None:
    assert of_review(request(), decided(BATCH)) == Note(OWNER, 3, Reason.PLACED, PLACED, False)


def test_what_would_be_done_is_told_as_well() -> None:
    found = of_review(request(), decided(BATCH, Installation(mode=Mode.AUDIT)))

    assert found == Note(OWNER, 3, Reason.WOULD_PLACE, WOULD, False)


@pytest.mark.parametrize(
    ("installation", "message"),
    [
        (Installation(identity_labels=False), f"{INVALID}; the rest is applied: labels batch=1"),
        (
            Installation(mode=Mode.AUDIT, identity_labels=False),
            f"mode audit, nothing is changed: {INVALID}; the rest would be applied: labels batch=1",
        ),
        (Installation(on_error=OnError.DENY), INVALID.replace("done: ", "done:\n")),
    ],
    ids=["enforce", "audit", "deny"],
)
def test_a_problem_is_a_warning_with_what_is_done_all_the_same(
    installation: Installation, message: str
) -> None:
    found = of_review(request(), decided(PROBLEM, installation))

    assert found == Note(OWNER, 3, Reason.SETTINGS_INVALID, message, True)


def test_a_pod_elsewhere_that_claims_the_plan_is_a_warning() -> None:
    asked = request(namespace="other")

    found = of_review(asked, decided(BATCH, asked=asked))

    assert found == Note(OWNER, 3, Reason.NOT_TARGET_NAMESPACE, ELSEWHERE, True)


@pytest.mark.parametrize(
    "found",
    [
        Reason.PLAN_NOT_FOUND,  # whoever may create pods could name any namespace
        Reason.PLANS_NOT_SYNCED,
        Reason.DEADLINE_EXCEEDED,
        plan(),
        plan(mode=Mode.OFF, labels={"batch": "1"}),
    ],
)
def test_what_says_nothing_of_a_known_plan_is_not_told(found: Plan | Reason) -> None:
    assert of_review(request(), decided(found)) is None


def test_a_dry_run_leaves_no_trace() -> None:
    asked = request()
    dry = type(asked)(uid="1", kind="v1/Pod", dry_run=True, object=asked.object)

    assert of_review(dry, decided(PROBLEM)) is None


def test_a_plan_that_is_written_is_told_of_by_the_answer_alone() -> None:
    asked = request(kind="forklift.konveyor.io/v1beta1/Plan")

    assert of_review(asked, decided(PROBLEM)) is None


def test_what_is_no_review_has_no_plan_to_tell() -> None:
    assert of_review(None, Decision(Outcome.FAILED, Reason.MALFORMED_REVIEW)) is None
    assert of_review(request(pod()), Decision(Outcome.FAILED, Reason.NO_PLAN_REFERENCE)) is None


def test_the_event_is_whole() -> None:
    times = Times(2, "2026-08-01T08:00:00Z", "2026-08-01T08:00:30Z")

    assert events.body(note(), "db.1", "host", times) == {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "db.1", "namespace": "konveyor-forklift"},
        "involvedObject": {
            "apiVersion": "forklift.konveyor.io/v1beta1",
            "kind": "Plan",
            "namespace": "konveyor-forklift",
            "name": "db",
            "uid": "b277",
        },
        "type": "Normal",
        "reason": "Placed",
        "message": PLACED,
        "count": 2,
        "firstTimestamp": "2026-08-01T08:00:00Z",
        "lastTimestamp": "2026-08-01T08:00:30Z",
        "source": {"component": "convertor-webhook", "host": "host"},
        "reportingComponent": "convertor-webhook",
        "reportingInstance": "host",
    }


def test_a_warning_about_a_pod_names_it() -> None:
    event = events.body(
        note(Reason.MISSED, pod=Pod("vms", "db-vm-1", "uid")), "db.1", "host", Times(1, "", "")
    )

    assert event["type"] == "Warning"
    assert event["related"] == {
        "apiVersion": "v1",
        "kind": "Pod",
        "namespace": "vms",
        "name": "db-vm-1",
        "uid": "uid",
    }


def test_a_long_message_is_cut_where_a_character_ends() -> None:
    event = events.body(note(message="ü" * 1000), "db.1", "host", Times(1, "", ""))

    assert event["message"] == "ü" * 510 + " ..."


def test_replicas_tell_of_a_review_each_and_of_a_pod_together() -> None:
    about_pod = note(pod=Pod("vms", "db-vm-1", "uid"))

    assert events.name_of(note(), "a") != events.name_of(note(), "b")
    assert events.name_of(note(), "a") != events.name_of(note(message="other"), "a")
    assert events.name_of(about_pod, "a") == events.name_of(about_pod, "b")


@pytest.mark.parametrize("plan_name", ["db", "a" * 253, "a" * 199 + "-.-b"])
def test_the_name_of_an_event_is_one_that_kubernetes_takes(plan_name: str) -> None:
    ref = PlanRef("u", "konveyor-forklift", plan_name)
    name = events.name_of(Note(ref, 1, Reason.PLACED, "", False), "host")

    assert len(name) <= 253
    assert all(label.strip("-") == label != "" for label in name.split("."))
