"""Missed pods and removed labels are reported, and no pod is reported falsely."""

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


def check(
    pod: PodMetadata, plan: Plan, installation: Installation = INSTALLATION, start: str = ""
) -> tuple[Reason, str] | None:
    finding = check_placement(pod, plan, installation, EnforcementWindow(start))
    return finding and (finding.reason, finding.message)


def test_a_pod_without_the_placement_annotation_is_missed() -> None:
    assert check(pod(), enforced_plan()) == (Reason.MISSED, UNREVIEWED)


def test_a_placed_pod_has_no_finding() -> None:
    assert check(pod(placed=True), enforced_plan()) is None


def test_a_placed_pod_without_its_labels_is_changed_back() -> None:
    labels = CONVERTOR_LABELS | {"app": "virt-v2v"}

    assert check(pod(placed=True, labels=labels), enforced_plan()) == (
        Reason.CHANGED_BACK,
        CHANGED,
    )


def test_a_placed_pod_whose_labels_have_other_values_has_no_finding() -> None:
    labels = CONVERTOR_LABELS | {"app": "x", "forklift.app/plan": "db", "batch": "2"}

    assert check(pod(placed=True, labels=labels), enforced_plan()) is None


def test_a_pod_that_has_the_labels_of_the_plan_with_other_values_is_missed() -> None:
    labels = CONVERTOR_LABELS | {"batch": "2"}

    assert check(pod(labels=labels), enforced_plan()) == (Reason.MISSED, UNREVIEWED)


@pytest.mark.parametrize(
    ("case", "pod", "plan", "installation"),
    [
        ("the pod is older than the settings", pod(BEFORE), enforced_plan(), INSTALLATION),
        (
            "the pod was created in the second of the settings",
            pod(WRITTEN),
            enforced_plan(),
            INSTALLATION,
        ),
        ("the plan has no settings", pod(), enforced_plan(labels={}), INSTALLATION),
        ("mode audit of the installation", pod(), enforced_plan(), AUDIT),
        ("mode audit of the plan", pod(), enforced_plan(mode=Mode.AUDIT), INSTALLATION),
        ("mode off of the plan", pod(), enforced_plan(mode=Mode.OFF), INSTALLATION),
        ("mode off of the namespace", pod(), enforced_plan(), TARGET_OFF),
        ("another target namespace", pod(namespace="other"), enforced_plan(), INSTALLATION),
        (
            "the labels were added to the plan later",
            pod(placed=True, labels=CONVERTOR_LABELS),
            enforced_plan(LATER),
            INSTALLATION,
        ),
    ],
)
def test_other_pods_have_no_finding(
    case: str, pod: PodMetadata, plan: Plan, installation: Installation
) -> None:
    assert check(pod, plan, installation) is None, case


def test_a_pod_of_a_plan_with_mode_enforce_is_missed_in_an_installation_with_mode_audit() -> None:
    assert check(pod(), enforced_plan(mode=Mode.ENFORCE), AUDIT) == (Reason.MISSED, UNREVIEWED)


def test_absent_identity_labels_are_not_a_change_if_they_are_disabled() -> None:
    labels = CONVERTOR_LABELS | {"batch": "1"}
    installation = Installation(identity_labels=False)

    assert check(pod(placed=True, labels=labels), enforced_plan(), installation) is None


def test_a_pod_that_is_not_younger_than_the_installation_has_no_finding() -> None:
    for start in (AFTER, LATER):
        assert check(pod(AFTER), enforced_plan(), start=start) is None
        assert (
            check(pod(AFTER, placed=True, labels=CONVERTOR_LABELS), enforced_plan(), start=start)
            is None
        )


def test_a_pod_of_a_time_with_mode_audit_is_not_missed_though_an_older_one_was_placed() -> None:
    window = EnforcementWindow(LATER)
    check_placement(pod(BEFORE, placed=True), enforced_plan(), INSTALLATION, window)

    assert check_placement(pod(AFTER), enforced_plan(), INSTALLATION, window) is None


def test_a_pod_that_was_placed_before_the_reach_does_not_extend_the_window() -> None:
    for reach in (BEFORE, WRITTEN):
        window = EnforcementWindow(LATER, reach)
        check_placement(pod(BEFORE, placed=True), enforced_plan(), INSTALLATION, window)

        assert check_placement(pod(AFTER), enforced_plan(), INSTALLATION, window) is None


def restarted() -> EnforcementWindow:
    """Return the window of a server that was down for a moment, in which pods may be created."""
    return EnforcementWindow(LATER, "2026-08-01T05:59:59Z")


def test_a_pod_that_was_placed_just_before_the_start_extends_the_window_to_its_creation() -> None:
    window = restarted()
    other = enforced_plan()

    assert check_placement(pod(AFTER), other, INSTALLATION, window) is None
    check_placement(pod(BEFORE, placed=True), other, INSTALLATION, window)
    assert check_placement(pod(AFTER), other, INSTALLATION, window) is not None
    older = enforced_plan(settings_modified="")
    assert check_placement(pod("2026-08-01T05:59:59Z"), older, INSTALLATION, window) is None
    assert check_placement(pod(BEFORE), older, INSTALLATION, window) is not None


def test_a_placed_pod_extends_the_window_for_modes_of_the_same_origin() -> None:
    target, elsewhere = (
        enforced_plan(),
        msgspec.structs.replace(enforced_plan(), target_namespace="elsewhere"),
    )
    by_namespace = Installation(
        mode=Mode.AUDIT, namespace_modes={"target": Mode.ENFORCE, "elsewhere": Mode.ENFORCE}
    )
    window = restarted()
    check_placement(pod(BEFORE, placed=True), target, by_namespace, window)

    there = pod(namespace="elsewhere")
    assert check_placement(there, elsewhere, by_namespace, window) is None
    assert check_placement(pod(), target, by_namespace, window) is not None
    assert (
        check_placement(pod(), enforced_plan(mode=Mode.ENFORCE), by_namespace, window) is not None
    )


def test_a_pod_that_its_own_plan_enforced_extends_the_window_for_such_plans_only() -> None:
    window = restarted()
    check_placement(pod(BEFORE, placed=True), enforced_plan(mode=Mode.ENFORCE), AUDIT, window)

    assert check_placement(pod(), enforced_plan(), INSTALLATION, window) is None
    assert check_placement(pod(), enforced_plan(mode=Mode.ENFORCE), AUDIT, window) is not None


def test_the_metadata_of_a_pod_is_read() -> None:
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


def test_the_metadata_of_a_pod_may_have_a_name_only() -> None:
    assert read_metadata({"name": "a"}, INSTALLATION.prefix) == PodMetadata(
        "", "a", "", "", {}, "", None
    )
