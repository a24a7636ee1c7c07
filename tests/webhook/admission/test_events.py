"""Events on Plans: the decisions that are recorded as one, and the core/v1 object."""

import msgspec
import pytest

from tests.support.builders import decoded_request, minimal_pod, parsed_plan
from tests.support.placements import NO_QUANTITY, OWNER, decide_on_pod
from webhook.admission import events
from webhook.admission.events import (
    MAX_MESSAGE_BYTES,
    Occurrences,
    PlanEvent,
    RelatedPod,
    derive_event,
)
from webhook.model import (
    Decision,
    Installation,
    Mode,
    OnError,
    Outcome,
    Plan,
    PlanRef,
    Reason,
    Role,
)

PLACED = "placed by plan 'konveyor-forklift/db': labels batch=1"
WOULD = (
    "mode audit, nothing is changed: would be placed by plan 'konveyor-forklift/db': "
    "labels app=virt-v2v,forklift.app/plan=db,batch=1"
)
INVALID = (
    "plan 'konveyor-forklift/db' has invalid placement settings: "
    "Plan konveyor-forklift/db spec.convertorNodeSelector: 'x+' is not a quantity"
)
ELSEWHERE = (
    "plan 'konveyor-forklift/db' migrates into namespace 'target', so this pod in 'other' is not "
    "one of its pods and is not placed"
)
PROBLEM = parsed_plan(labels={"batch": "1"}, problems=[NO_QUANTITY])
BATCH = parsed_plan(labels={"batch": "1"})


def make_event(reason: Reason = Reason.PLACED, message: str = PLACED, **more: object) -> PlanEvent:
    return PlanEvent(OWNER, 3, reason, message, reason is not Reason.PLACED, **more)  # type: ignore[arg-type]


def test_a_placement_is_an_event() -> None:
    assert derive_event(decoded_request(), decide_on_pod(BATCH)) == PlanEvent(
        OWNER, 3, Reason.PLACED, PLACED, False
    )


def test_a_placement_in_mode_audit_is_an_event() -> None:
    found = derive_event(decoded_request(), decide_on_pod(BATCH, Installation(mode=Mode.AUDIT)))

    assert found == PlanEvent(OWNER, 3, Reason.WOULD_PLACE, WOULD, False)


@pytest.mark.parametrize(
    ("installation", "message"),
    [
        (Installation(identity_labels=False), f"{INVALID}; the rest is applied: labels batch=1"),
        (
            Installation(mode=Mode.AUDIT, identity_labels=False),
            f"mode audit, nothing is changed: {INVALID}; the rest would be applied: labels batch=1",
        ),
        (Installation(on_error=OnError.DENY), INVALID.replace("settings: ", "settings:\n")),
    ],
    ids=["enforce", "audit", "deny"],
)
def test_a_problem_is_a_warning_with_the_settings_that_are_applied(
    installation: Installation, message: str
) -> None:
    found = derive_event(decoded_request(), decide_on_pod(PROBLEM, installation))

    assert found == PlanEvent(OWNER, 3, Reason.SETTINGS_INVALID, message, True)


def test_a_pod_in_another_namespace_that_names_the_plan_is_a_warning() -> None:
    request = decoded_request(namespace="other")

    found = derive_event(request, decide_on_pod(BATCH, request=request))

    assert found == PlanEvent(OWNER, 3, Reason.NOT_TARGET_NAMESPACE, ELSEWHERE, True)


@pytest.mark.parametrize(
    "found",
    [
        Reason.PLAN_NOT_FOUND,  # a client that may create pods could name any namespace
        Reason.PLANS_NOT_SYNCED,
        Reason.DEADLINE_EXCEEDED,
        parsed_plan(),
        parsed_plan(mode=Mode.OFF, labels={"batch": "1"}),
    ],
)
def test_a_decision_without_a_known_plan_or_settings_is_no_event(found: Plan | Reason) -> None:
    assert derive_event(decoded_request(), decide_on_pod(found)) is None


@pytest.mark.parametrize(
    ("role", "prefix"),
    [(Role.CONVERTOR, ""), (Role.IMPORTER, "importer pod: ")],
)
def test_the_message_names_the_role_of_a_pod_that_is_not_a_convertor(
    role: Role, prefix: str
) -> None:
    decision = msgspec.structs.replace(decide_on_pod(BATCH), role=role)

    found = derive_event(decoded_request(), decision)

    assert found
    assert found.message == f"{prefix}{PLACED}"


@pytest.mark.parametrize(
    ("outcome", "message"),
    [
        (Outcome.REFUSED, "an importer waits until another disk of its VM"),
        (
            Outcome.WOULD_REFUSE,
            "mode audit, nothing is changed: an importer would wait until another disk of its VM",
        ),
    ],
)
def test_all_refusals_of_a_plan_are_one_event_without_a_warning(
    outcome: Outcome, message: str
) -> None:
    found = {
        derive_event(
            decoded_request(),
            Decision(
                outcome,
                Reason.WAITING_FOR_DISK,
                f"disk-{number} waits",
                plan=OWNER,
                role=Role.FIRST_CONSUMER,
            ),
        )
        for number in range(3)
    }

    (event,) = found
    assert event
    assert event.message.startswith(f"{message} is bound, because")
    assert not event.is_warning


def test_a_pod_of_a_role_that_the_plan_does_not_select_is_no_event() -> None:
    decision = Decision(Outcome.UNCHANGED, Reason.ROLE_NOT_SELECTED, plan=OWNER, role=Role.IMPORTER)

    assert derive_event(decoded_request(), decision) is None


def test_a_message_is_printable_and_has_the_length_of_an_event() -> None:
    decision = decide_on_pod(Reason.PLAN_NOT_FOUND)
    decision = msgspec.structs.replace(
        decision, reason=Reason.MALFORMED_POD, message="a\x1b\nb" + "x" * 2**20
    )

    found = derive_event(decoded_request(), decision)
    assert found
    assert found.message.startswith("a\\u001b\nbxxx")
    assert len(found.message) == MAX_MESSAGE_BYTES


def test_a_dry_run_is_no_event() -> None:
    request = decoded_request()
    dry = type(request)(uid="1", kind="v1/Pod", dry_run=True, object=request.object)

    assert derive_event(dry, decide_on_pod(PROBLEM)) is None


def test_a_review_of_a_plan_is_no_event() -> None:
    request = decoded_request(kind="forklift.konveyor.io/v1beta1/Plan")

    assert derive_event(request, decide_on_pod(PROBLEM)) is None


def test_a_decision_without_a_request_or_plan_is_no_event() -> None:
    assert derive_event(None, Decision(Outcome.FAILED, Reason.MALFORMED_REVIEW)) is None
    assert (
        derive_event(
            decoded_request(minimal_pod()), Decision(Outcome.FAILED, Reason.NO_PLAN_REFERENCE)
        )
        is None
    )


def test_the_event_object_is_complete() -> None:
    occurrences = Occurrences(2, "2026-08-01T08:00:00Z", "2026-08-01T08:00:30Z")

    assert events.build_object(make_event(), "db.1", "host", occurrences) == {
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


def test_an_event_about_a_pod_has_it_as_related() -> None:
    event = events.build_object(
        make_event(Reason.MISSED, pod=RelatedPod("vms", "db-vm-1", "uid")),
        "db.1",
        "host",
        Occurrences(1, "", ""),
    )

    assert event["type"] == "Warning"
    assert event["related"] == {
        "apiVersion": "v1",
        "kind": "Pod",
        "namespace": "vms",
        "name": "db-vm-1",
        "uid": "uid",
    }


def test_a_long_message_is_truncated_between_characters() -> None:
    event = events.build_object(
        make_event(message="ü" * 1000), "db.1", "host", Occurrences(1, "", "")
    )

    assert event["message"] == "ü" * 510 + " ..."


def test_replicas_share_the_name_of_an_event_that_is_not_about_a_review() -> None:
    about_pod = make_event(pod=RelatedPod("vms", "db-vm-1", "uid"))
    conflict = make_event(reason=Reason.PLACEMENT_CONFLICT)

    assert events.derive_name(make_event(), "a") != events.derive_name(make_event(), "b")
    assert events.derive_name(make_event(), "a") != events.derive_name(
        make_event(message="other"), "a"
    )
    assert events.derive_name(about_pod, "a") == events.derive_name(about_pod, "b")
    assert events.derive_name(conflict, "a") == events.derive_name(conflict, "b")


@pytest.mark.parametrize("plan_name", ["db", "a" * 253, "a" * 199 + "-.-b"])
def test_the_name_of_an_event_is_a_valid_object_name(plan_name: str) -> None:
    ref = PlanRef("u", "konveyor-forklift", plan_name)
    name = events.derive_name(PlanEvent(ref, 1, Reason.PLACED, "", False), "host")

    assert len(name) <= 253
    assert all(label.strip("-") == label != "" for label in name.split("."))
