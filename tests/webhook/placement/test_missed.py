"""Which pods were missed, and which were changed back; nobody is alarmed for nothing."""

from typing import Any

import msgspec
import pytest

from tests.support.builders import CONVERTOR_LABELS
from tests.support.missed_pods import (
    AFTER,
    BEFORE,
    LATER,
    PLACED_LABELS,
    UNREVIEWED,
    WRITTEN,
    enforced_plan,
)
from tests.support.placements import MARK
from webhook.model import Installation, Mode, Plan, PlanRef, Reason
from webhook.placement.missed import EnforcementWindow, PodMetadata, check_placement, read_metadata

INSTALLATION = Installation()
AUDIT = Installation(mode=Mode.AUDIT)
TARGET_OFF = Installation(namespace_modes={"target": Mode.OFF})
(PLACEMENT,) = MARK.values()

CHANGED = (
    "pod 'target/db-vm-1' was placed by plan 'konveyor-forklift/db', and another client has "
    "removed labels since: expected forklift.app/plan=db,batch=1"
)


def pod(created: str = AFTER, *, placed: bool = False, **changes: Any) -> PodMetadata:
    labels, placement = (PLACED_LABELS, PLACEMENT) if placed else (CONVERTOR_LABELS, "")
    pod = PodMetadata("target", "db-vm-1", "u", created, labels, placement, PlanRef(uid="b277"))
    return msgspec.structs.replace(pod, **changes)


def judged(
    pod: PodMetadata, plan: Plan, installation: Installation = INSTALLATION, since: str = ""
) -> tuple[Reason, str] | None:
    verdict = check_placement(pod, plan, installation, EnforcementWindow(since))
    return verdict and (verdict.reason, verdict.message)


def test_a_pod_without_its_placement_was_missed() -> None:
    assert judged(pod(), enforced_plan()) == (Reason.MISSED, UNREVIEWED)


def test_a_pod_that_is_as_placed_is_fine() -> None:
    assert judged(pod(placed=True), enforced_plan()) is None


def test_a_placed_pod_without_its_labels_was_changed_back() -> None:
    labels = CONVERTOR_LABELS | {"app": "virt-v2v"}

    assert judged(pod(placed=True, labels=labels), enforced_plan()) == (
        Reason.CHANGED_BACK,
        CHANGED,
    )


def test_a_placed_pod_whose_labels_have_other_values_may_have_been_created_with_them() -> None:
    labels = CONVERTOR_LABELS | {"app": "mine", "forklift.app/plan": "db", "batch": "2"}

    assert judged(pod(placed=True, labels=labels), enforced_plan()) is None


def test_a_pod_that_is_not_placed_was_missed_whatever_the_values_of_its_labels() -> None:
    labels = CONVERTOR_LABELS | {"batch": "2"}

    assert judged(pod(labels=labels), enforced_plan()) == (Reason.MISSED, UNREVIEWED)


@pytest.mark.parametrize(
    ("case", "pod", "plan", "installation"),
    [
        ("it came before the settings", pod(BEFORE), enforced_plan(), INSTALLATION),
        ("in the very second of the settings", pod(WRITTEN), enforced_plan(), INSTALLATION),
        ("the plan asks nothing", pod(), enforced_plan(labels={}), INSTALLATION),
        ("it is audited", pod(), enforced_plan(), AUDIT),
        ("the plan is audited", pod(), enforced_plan(mode=Mode.AUDIT), INSTALLATION),
        ("the plan is off", pod(), enforced_plan(mode=Mode.OFF), INSTALLATION),
        ("its namespace is off", pod(), enforced_plan(), TARGET_OFF),
        ("the plan migrates elsewhere", pod(namespace="other"), enforced_plan(), INSTALLATION),
        (
            "the labels were asked for later",
            pod(placed=True, labels=CONVERTOR_LABELS),
            enforced_plan(LATER),
            INSTALLATION,
        ),
    ],
)
def test_nobody_is_alarmed_for_nothing(
    case: str, pod: PodMetadata, plan: Plan, installation: Installation
) -> None:
    assert judged(pod, plan, installation) is None, case


def test_a_plan_that_says_enforce_counts_where_the_rest_is_audited() -> None:
    assert judged(pod(), enforced_plan(mode=Mode.ENFORCE), AUDIT) == (Reason.MISSED, UNREVIEWED)


def test_without_identity_labels_their_absence_is_no_change() -> None:
    labels = CONVERTOR_LABELS | {"batch": "1"}
    installation = Installation(identity_labels=False)

    assert judged(pod(placed=True, labels=labels), enforced_plan(), installation) is None


def test_a_pod_that_is_not_younger_than_the_installation_is_not_judged() -> None:
    for since in (AFTER, LATER):
        assert judged(pod(AFTER), enforced_plan(), since=since) is None
        assert (
            judged(pod(AFTER, placed=True, labels=CONVERTOR_LABELS), enforced_plan(), since=since)
            is None
        )


def test_a_pod_that_was_made_in_audit_is_not_missed_after_enforce_audit_and_enforce() -> None:
    since = EnforcementWindow(LATER)
    check_placement(pod(BEFORE, placed=True), enforced_plan(), INSTALLATION, since)

    assert check_placement(pod(AFTER), enforced_plan(), INSTALLATION, since) is None


def test_a_pod_that_was_placed_too_long_before_the_start_proves_nothing() -> None:
    for reach in (BEFORE, WRITTEN):
        since = EnforcementWindow(LATER, reach)
        check_placement(pod(BEFORE, placed=True), enforced_plan(), INSTALLATION, since)

        assert check_placement(pod(AFTER), enforced_plan(), INSTALLATION, since) is None


def just_away() -> EnforcementWindow:
    """Return what a server knows that was away for a moment; pods may be made in the meantime."""
    return EnforcementWindow(LATER, "2026-08-01T05:59:59Z")


def test_a_pod_that_was_placed_just_before_the_start_proves_that_a_younger_one_was_missed() -> None:
    since = just_away()
    other = enforced_plan()

    assert check_placement(pod(AFTER), other, INSTALLATION, since) is None
    check_placement(pod(BEFORE, placed=True), other, INSTALLATION, since)
    assert check_placement(pod(AFTER), other, INSTALLATION, since) is not None
    older = enforced_plan(settings_modified="")
    assert check_placement(pod("2026-08-01T05:59:59Z"), older, INSTALLATION, since) is None
    assert check_placement(pod(BEFORE), older, INSTALLATION, since) is not None


def test_a_proof_counts_for_what_its_mode_came_from() -> None:
    target, elsewhere = (
        enforced_plan(),
        msgspec.structs.replace(enforced_plan(), target_namespace="elsewhere"),
    )
    by_namespace = Installation(
        mode=Mode.AUDIT, namespace_modes={"target": Mode.ENFORCE, "elsewhere": Mode.ENFORCE}
    )
    since = just_away()
    check_placement(pod(BEFORE, placed=True), target, by_namespace, since)

    there = pod(namespace="elsewhere")
    assert check_placement(there, elsewhere, by_namespace, since) is None
    assert check_placement(pod(), target, by_namespace, since) is not None
    assert check_placement(pod(), enforced_plan(mode=Mode.ENFORCE), by_namespace, since) is not None


def test_a_plan_that_enforces_alone_proves_nothing_of_the_others() -> None:
    since = just_away()
    check_placement(pod(BEFORE, placed=True), enforced_plan(mode=Mode.ENFORCE), AUDIT, since)

    assert check_placement(pod(), enforced_plan(), INSTALLATION, since) is None
    assert check_placement(pod(), enforced_plan(mode=Mode.ENFORCE), AUDIT, since) is not None


def test_a_pod_is_read_from_its_metadata() -> None:
    metadata = {
        "namespace": "target",
        "name": "db-vm-1",
        "uid": "u",
        "creationTimestamp": AFTER,
        "labels": CONVERTOR_LABELS,
        "annotations": MARK | {"k8s.v1.cni.cncf.io/networks": "x"},
    }

    assert read_metadata(metadata, INSTALLATION.prefix) == pod(
        labels=CONVERTOR_LABELS, placement=PLACEMENT
    )


def test_a_pod_may_have_next_to_nothing() -> None:
    assert read_metadata({"name": "a"}, INSTALLATION.prefix) == PodMetadata(
        "", "a", "", "", {}, "", None
    )
