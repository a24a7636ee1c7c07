"""The decision on a pod, in mode enforce."""

import json

import msgspec
import pytest

from tests.support.affinity_terms import CEPH_ANYWHERE, pod_term
from tests.support.builders import CONVERTOR_LABELS, decoded_request, minimal_pod, parsed_plan
from tests.support.placements import (
    BARE,
    KEPT,
    MARK,
    NO_QUANTITY,
    OWNER,
    REF,
    UNKNOWN_VERB,
    decide_on_pod,
)
from webhook.admission.mutate import decide, identify
from webhook.admission.review import encode
from webhook.inventory import NO_PVCS
from webhook.kube.affinity import REQUIRED
from webhook.model import (
    Decision,
    Installation,
    MigrationPod,
    Mode,
    OnError,
    Outcome,
    PlanRef,
    Reason,
    Request,
    Role,
)

AUDIT = Installation(mode=Mode.AUDIT)


@pytest.mark.parametrize(
    ("skipped", "reason", "message"),
    [
        (decoded_request(kind="v1/Node"), Reason.NOT_A_CONVERTOR_POD, "'v1/Node' is not a Pod"),
        (
            decoded_request(subresource="status"),
            Reason.NOT_A_CONVERTOR_POD,
            "'v1/Pod/status' is not a Pod",
        ),
        (
            decoded_request(operation="UPDATE"),
            Reason.NOT_A_CREATE,
            "operation 'UPDATE' creates no pod",
        ),
        (
            decoded_request({"metadata": {"labels": {"forklift.app": "forklift-wait-for-reboot"}}}),
            Reason.NOT_A_CONVERTOR_POD,
            "not a migration pod, by its labels, its name and its owner",
        ),
        (
            decoded_request({"metadata": {"labels": ["forklift.app"]}}),
            Reason.NOT_A_CONVERTOR_POD,
            "not a migration pod, by its labels, its name and its owner",
        ),
        (
            decoded_request({"metadata": "x"}),
            Reason.NOT_A_CONVERTOR_POD,
            "not a migration pod, by its labels, its name and its owner",
        ),
        (
            decoded_request(
                {
                    "metadata": {
                        "labels": CONVERTOR_LABELS,
                        "annotations": {"kubernetes.io/config.mirror": ""},
                    }
                }
            ),
            Reason.MIRROR_POD,
            "a mirror pod: the kubelet of its node runs it",
        ),
    ],
)
def test_a_request_that_does_not_create_a_convertor_pod_is_skipped(
    skipped: Request, reason: Reason, message: str
) -> None:
    assert identify(skipped, AUDIT, NO_PVCS.find_disk) == Decision(
        Outcome.SKIPPED, reason, message, Mode.AUDIT
    )


@pytest.mark.parametrize("mode", Mode)
def test_a_pod_that_cannot_be_read_is_admitted_with_a_warning(mode: Mode) -> None:
    request = msgspec.structs.replace(decoded_request({}), malformed="'x' has 9 bytes")
    message = "the pod is malformed, so it is not placed: 'x' has 9 bytes"
    decision = identify(request, Installation(mode=mode), NO_PVCS.find_disk)

    assert isinstance(decision, Decision)
    assert decision.mode is mode
    if mode is Mode.OFF:
        assert (decision.outcome, decision.warnings) == (Outcome.UNCHANGED, [])
    else:
        assert (decision.outcome, decision.reason) == (Outcome.FAILED, Reason.MALFORMED_POD)
        assert [warning.endswith(message) for warning in decision.warnings] == [True]


def test_the_creation_of_a_convertor_pod_is_not_skipped() -> None:
    ref = PlanRef(uid="b277")

    found = identify(decoded_request(), BARE, NO_PVCS.find_disk)

    assert found == MigrationPod(Role.CONVERTOR, ref)


def test_a_pod_is_placed() -> None:
    mark = {"op": "add", "path": "/metadata/annotations", "value": MARK}

    assert decide_on_pod(parsed_plan(labels={"batch": "1"})) == Decision(
        Outcome.PATCHED,
        Reason.PLACED,
        "placed by plan 'konveyor-forklift/db'",
        plan=OWNER,
        generation=3,
        patch=[{"op": "add", "path": "/metadata/labels/batch", "value": "1"}, mark],
        role=Role.CONVERTOR,
    )


def test_a_placed_pod_is_unchanged() -> None:
    placed = minimal_pod({"batch": "1"})
    placed["metadata"]["annotations"] = dict(MARK)

    assert decide_on_pod(
        parsed_plan(labels={"batch": "1"}), request=decoded_request(placed)
    ) == Decision(
        Outcome.UNCHANGED,
        Reason.ALREADY_PLACED,
        "already placed by plan 'konveyor-forklift/db'",
        plan=OWNER,
        generation=3,
        role=Role.CONVERTOR,
    )


def test_a_pod_of_a_plan_without_settings_is_unchanged() -> None:
    assert decide_on_pod(parsed_plan()) == Decision(
        Outcome.UNCHANGED,
        Reason.NOTHING_TO_PLACE,
        "plan 'konveyor-forklift/db' has no placement settings",
        plan=OWNER,
        generation=3,
        role=Role.CONVERTOR,
    )


def test_a_pod_keeps_a_label_with_another_value_and_gets_the_other_settings() -> None:
    before = minimal_pod({"tier": "x"}, nodeSelector={"disk": "ssd"})

    decision = decide_on_pod(
        parsed_plan(labels={"tier": "y"}, node_selector={"disk": "nvme"}),
        request=decoded_request(before),
    )

    assert decision.reason is Reason.PLACED
    assert decision.problems == []
    assert [change["path"] for change in decision.patch] == [
        "/metadata/annotations",
        "/spec/nodeSelector/disk",
    ]
    assert decision.warnings == [
        KEPT,
        "node selector disk=ssd of the pod replaced by disk=nvme of the plan",
    ]


def test_required_pod_terms_that_only_the_pod_has_are_a_warning() -> None:
    plan = parsed_plan(affinity={"podAffinity": {REQUIRED: [CEPH_ANYWHERE]}})
    sent = minimal_pod(affinity={"podAffinity": {REQUIRED: [pod_term("other")]}})

    decision = decide_on_pod(plan, request=decoded_request(sent))

    assert (decision.outcome, decision.reason) == (Outcome.PATCHED, Reason.PLACED)
    (warning,) = decision.warnings
    assert warning.startswith(
        "the pod has required pod terms that plan 'konveyor-forklift/db' does not have: no node can"
    )
    assert decide_on_pod(plan).warnings == []


NO_PLAN_MESSAGES = {
    Reason.NO_PLAN_REFERENCE: (
        "the pod names no plan, so it is not placed: it has none of the labels plan, plan-name "
        "and forklift.app/plan, and no Plan owns it"
    ),
    Reason.PLAN_NOT_FOUND: (
        "plan 'konveyor-forklift/db' was not found, so the pod is not placed: was it deleted, or "
        "is it in a cluster that the webhook does not watch?"
    ),
    Reason.PLAN_AMBIGUOUS: (
        "several plans are named 'konveyor-forklift/db', so the pod is not placed: give it the "
        "label plan with the UID of one of them"
    ),
    Reason.PLANS_NOT_SYNCED: (
        "the webhook has not read the plans yet, so the pod of plan 'konveyor-forklift/db' is not "
        "placed: see the webhook's /readyz and log"
    ),
    Reason.DEADLINE_EXCEEDED: (
        "plan 'konveyor-forklift/db' could not be read in time, so the pod is not placed: see the "
        "webhook's log, or raise timeoutSeconds in its configuration"
    ),
}


NOT_OWNED = (
    "plan 'konveyor-forklift/db' was not found, or it does not migrate into the pod's namespace "
    "'{}', so the pod is not placed: the webhook's log has the reason"
)


@pytest.mark.parametrize(("reason", "message"), NO_PLAN_MESSAGES.items())
def test_a_pod_without_a_plan_is_admitted_with_a_warning(reason: Reason, message: str) -> None:
    warning = NOT_OWNED.format("target") if reason is Reason.PLAN_NOT_FOUND else message

    assert decide_on_pod(reason) == Decision(
        Outcome.FAILED, reason, message, plan=REF, warnings=[warning], role=Role.CONVERTOR
    )


def test_a_pod_outside_the_target_namespace_is_admitted_unchanged_with_a_warning() -> None:
    message = (
        "plan 'konveyor-forklift/db' migrates into namespace 'target', so this pod in 'other' is "
        "not one of its pods and is not placed"
    )

    assert decide_on_pod(
        parsed_plan(labels={"batch": "1"}), request=decoded_request(namespace="other")
    ) == Decision(
        Outcome.UNCHANGED,
        Reason.NOT_TARGET_NAMESPACE,
        message,
        plan=OWNER,
        generation=3,
        warnings=[NOT_OWNED.format("other")],
        role=Role.CONVERTOR,
    )


@pytest.mark.parametrize("plan_mode", [None, *Mode])
@pytest.mark.parametrize("mode", Mode)
def test_a_pod_in_another_namespace_does_not_learn_whether_its_plan_exists(
    mode: Mode, plan_mode: Mode | None
) -> None:
    plan = parsed_plan("secret", labels={"batch": "1"}, mode=plan_mode)
    installation = Installation(mode=mode, on_error=OnError.DENY)
    request = decoded_request(namespace="other")
    responses = [
        json.loads(encode("u-1", decide(request, MigrationPod(ref=REF), found, installation)))[
            "response"
        ]
        for found in (plan, Reason.PLAN_NOT_FOUND)
    ]

    for response in responses:
        response.pop("auditAnnotations")  # for the administrator only
    assert responses[0] == responses[1]
    assert "secret" not in str(responses)


def test_a_plan_without_a_target_namespace_has_no_pods() -> None:
    plan = msgspec.structs.replace(parsed_plan(labels={"batch": "1"}), target_namespace="")

    assert decide_on_pod(plan).message == (
        "plan 'konveyor-forklift/db' migrates into no namespace: spec.targetNamespace is missing, "
        "so this pod in 'target' is not one of its pods and is not placed"
    )


def test_a_malformed_pod_is_admitted_with_a_warning() -> None:
    message = (
        "the pod is malformed, so it is not placed: "
        "'spec.tolerations': expected a list, found a map"
    )

    assert decide_on_pod(
        parsed_plan(), request=decoded_request(minimal_pod(tolerations={}))
    ) == Decision(
        Outcome.FAILED,
        Reason.MALFORMED_POD,
        message,
        plan=OWNER,
        generation=3,
        warnings=[message],
        role=Role.CONVERTOR,
    )


def test_valid_settings_are_applied_beside_invalid_ones() -> None:
    decision = decide_on_pod(
        parsed_plan(labels={"batch": "1"}, problems=[UNKNOWN_VERB, NO_QUANTITY])
    )

    assert (decision.outcome, decision.reason) == (Outcome.PATCHED, Reason.SETTINGS_INVALID)
    assert decision.message == (
        f"plan 'konveyor-forklift/db' has invalid placement settings: {UNKNOWN_VERB}; {NO_QUANTITY}"
    )
    assert decision.patch[0]["path"] == "/metadata/labels/batch"
    assert decision.warnings == [str(UNKNOWN_VERB), str(NO_QUANTITY)]
    assert decision.problems == [UNKNOWN_VERB, NO_QUANTITY]


def test_a_pod_of_a_plan_with_invalid_settings_only_is_unchanged() -> None:
    decision = decide_on_pod(parsed_plan(problems=[NO_QUANTITY]))

    assert (decision.outcome, decision.reason) == (Outcome.UNCHANGED, Reason.SETTINGS_INVALID)
    assert decision.patch == []
