"""From a review and a plan to the decision."""

import msgspec
import pytest

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
from webhook.admission.mutate import screen
from webhook.model import (
    Decision,
    Installation,
    Mode,
    Outcome,
    Reason,
    Request,
)

AUDIT = Installation(mode=Mode.AUDIT)


@pytest.mark.parametrize(
    ("asked", "reason", "message"),
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
            decoded_request({"metadata": {"labels": {"forklift.app": "virt-v2v-inspection"}}}),
            Reason.NOT_A_CONVERTOR_POD,
            "no label forklift.app=virt-v2v",
        ),
        (
            decoded_request({"metadata": {"labels": ["forklift.app"]}}),
            Reason.NOT_A_CONVERTOR_POD,
            "no label forklift.app=virt-v2v",
        ),
        (
            decoded_request({"metadata": "x"}),
            Reason.NOT_A_CONVERTOR_POD,
            "no label forklift.app=virt-v2v",
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
def test_what_is_not_ours_is_let_through_at_once(
    asked: Request, reason: Reason, message: str
) -> None:
    assert screen(asked, AUDIT) == Decision(Outcome.SKIPPED, reason, message, Mode.AUDIT)


def test_a_convertor_pod_that_is_created_is_ours() -> None:
    assert screen(decoded_request(), BARE) is None


def test_a_pod_is_placed() -> None:
    mark = {"op": "add", "path": "/metadata/annotations", "value": MARK}

    assert decide_on_pod(parsed_plan(labels={"batch": "1"})) == Decision(
        Outcome.PATCHED,
        Reason.PLACED,
        "placed by plan 'konveyor-forklift/db'",
        plan=OWNER,
        generation=3,
        patch=[{"op": "add", "path": "/metadata/labels/batch", "value": "1"}, mark],
    )


def test_a_placed_pod_is_left_as_it_is() -> None:
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
    )


def test_a_plan_that_asks_nothing_leaves_the_pod_as_it_is() -> None:
    assert decide_on_pod(parsed_plan()) == Decision(
        Outcome.UNCHANGED,
        Reason.NOTHING_TO_PLACE,
        "plan 'konveyor-forklift/db' has no placement settings",
        plan=OWNER,
        generation=3,
    )


def test_a_pod_created_with_another_label_keeps_it_with_a_warning_and_gets_the_rest() -> None:
    before = minimal_pod({"app": "x"}, nodeSelector={"disk": "ssd"})

    decision = decide_on_pod(
        parsed_plan(labels={"app": "y"}, node_selector={"disk": "nvme"}),
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


WHY_NOT = {
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


@pytest.mark.parametrize(("reason", "message"), WHY_NOT.items())
def test_a_pod_without_its_plan_goes_through_with_a_warning(reason: Reason, message: str) -> None:
    assert decide_on_pod(reason) == Decision(
        Outcome.FAILED, reason, message, plan=REF, warnings=[message]
    )


def test_a_pod_outside_the_target_namespace_is_none_of_the_plan() -> None:
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
        warnings=[message],
    )


def test_a_plan_without_a_target_namespace_has_no_pods() -> None:
    nowhere = msgspec.structs.replace(parsed_plan(labels={"batch": "1"}), target_namespace="")

    assert decide_on_pod(nowhere).message == (
        "plan 'konveyor-forklift/db' migrates into no namespace: spec.targetNamespace is missing, "
        "so this pod in 'target' is not one of its pods and is not placed"
    )


def test_a_malformed_pod_goes_through_with_a_warning() -> None:
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
    )


def test_the_rest_applies_beside_a_problem() -> None:
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


def test_a_plan_of_problems_only_leaves_the_pod_as_it_is() -> None:
    decision = decide_on_pod(parsed_plan(problems=[NO_QUANTITY]))

    assert (decision.outcome, decision.reason) == (Outcome.UNCHANGED, Reason.SETTINGS_INVALID)
    assert decision.patch == []
