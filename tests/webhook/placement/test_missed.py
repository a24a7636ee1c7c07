"""Which pods were missed, and which were changed back; nobody is alarmed for nothing."""

from typing import Any

import msgspec
import pytest

from tests.support.builders import CONVERTOR_LABELS, parsed_plan
from tests.support.placements import MARK
from webhook.model import Installation, Mode, Plan, PlanRef, Reason
from webhook.placement.missed import EnforcementWindow, PodMetadata, check_placement, read_metadata

BEFORE, WRITTEN, AFTER, LATER = (f"2026-08-01T0{hour}:00:00Z" for hour in (6, 7, 8, 9))
INSTALLATION = Installation()
AUDIT = Installation(mode=Mode.AUDIT)
TARGET_OFF = Installation(namespace_modes={"target": Mode.OFF})
LABELS = CONVERTOR_LABELS | {"app": "virt-v2v", "forklift.app/plan": "db", "batch": "1"}
(PLACEMENT,) = MARK.values()

UNREVIEWED = (
    "pod 'target/db-vm-1' was created without the placement of plan 'konveyor-forklift/db': the "
    "webhook was not called, or its review failed"
)
CHANGED = (
    "pod 'target/db-vm-1' was placed by plan 'konveyor-forklift/db', and another client has "
    "removed labels since: expected forklift.app/plan=db,batch=1"
)


def asking(written: str = WRITTEN, **settings: Any) -> Plan:
    return msgspec.structs.replace(
        parsed_plan(**({"labels": {"batch": "1"}} | settings)), written=written
    )


def pod(created: str = AFTER, *, placed: bool = False, **changes: Any) -> PodMetadata:
    labels, placement = (LABELS, PLACEMENT) if placed else (CONVERTOR_LABELS, "")
    pod = PodMetadata("target", "db-vm-1", "u", created, labels, placement, PlanRef(uid="b277"))
    return msgspec.structs.replace(pod, **changes)


def judged(
    pod: PodMetadata, plan: Plan, installation: Installation = INSTALLATION, since: str = ""
) -> tuple[Reason, str] | None:
    verdict = check_placement(pod, plan, installation, EnforcementWindow(since))
    return verdict and (verdict.reason, verdict.message)


def test_a_pod_without_its_placement_was_missed() -> None:
    assert judged(pod(), asking()) == (Reason.MISSED, UNREVIEWED)


def test_a_pod_that_is_as_placed_is_fine() -> None:
    assert judged(pod(placed=True), asking()) is None


def test_a_placed_pod_without_its_labels_was_changed_back() -> None:
    labels = CONVERTOR_LABELS | {"app": "virt-v2v"}

    assert judged(pod(placed=True, labels=labels), asking()) == (Reason.CHANGED_BACK, CHANGED)


def test_a_placed_pod_whose_labels_have_other_values_may_have_been_created_with_them() -> None:
    labels = CONVERTOR_LABELS | {"app": "mine", "forklift.app/plan": "db", "batch": "2"}

    assert judged(pod(placed=True, labels=labels), asking()) is None


def test_a_pod_that_is_not_placed_was_missed_whatever_the_values_of_its_labels() -> None:
    labels = CONVERTOR_LABELS | {"batch": "2"}

    assert judged(pod(labels=labels), asking()) == (Reason.MISSED, UNREVIEWED)


@pytest.mark.parametrize(
    ("case", "pod", "plan", "installation"),
    [
        ("it came before the settings", pod(BEFORE), asking(), INSTALLATION),
        ("in the very second of the settings", pod(WRITTEN), asking(), INSTALLATION),
        ("the plan asks nothing", pod(), asking(labels={}), INSTALLATION),
        ("it is audited", pod(), asking(), AUDIT),
        ("the plan is audited", pod(), asking(mode=Mode.AUDIT), INSTALLATION),
        ("the plan is off", pod(), asking(mode=Mode.OFF), INSTALLATION),
        ("its namespace is off", pod(), asking(), TARGET_OFF),
        ("the plan migrates elsewhere", pod(namespace="other"), asking(), INSTALLATION),
        (
            "the labels were asked for later",
            pod(placed=True, labels=CONVERTOR_LABELS),
            asking(LATER),
            INSTALLATION,
        ),
    ],
)
def test_nobody_is_alarmed_for_nothing(
    case: str, pod: PodMetadata, plan: Plan, installation: Installation
) -> None:
    assert judged(pod, plan, installation) is None, case


def test_a_plan_that_says_enforce_counts_where_the_rest_is_audited() -> None:
    assert judged(pod(), asking(mode=Mode.ENFORCE), AUDIT) == (Reason.MISSED, UNREVIEWED)


def test_without_identity_labels_their_absence_is_no_change() -> None:
    labels = CONVERTOR_LABELS | {"batch": "1"}
    installation = Installation(identity_labels=False)

    assert judged(pod(placed=True, labels=labels), asking(), installation) is None


def test_a_pod_that_is_not_younger_than_the_installation_is_not_judged() -> None:
    for since in (AFTER, LATER):
        assert judged(pod(AFTER), asking(), since=since) is None
        assert (
            judged(pod(AFTER, placed=True, labels=CONVERTOR_LABELS), asking(), since=since) is None
        )


def test_a_pod_that_was_made_in_audit_is_not_missed_after_enforce_audit_and_enforce() -> None:
    since = EnforcementWindow(LATER)
    check_placement(pod(BEFORE, placed=True), asking(), INSTALLATION, since)

    assert check_placement(pod(AFTER), asking(), INSTALLATION, since) is None


def test_a_pod_that_was_placed_too_long_before_the_start_proves_nothing() -> None:
    for reach in (BEFORE, WRITTEN):
        since = EnforcementWindow(LATER, reach)
        check_placement(pod(BEFORE, placed=True), asking(), INSTALLATION, since)

        assert check_placement(pod(AFTER), asking(), INSTALLATION, since) is None


def just_away() -> EnforcementWindow:
    """Return what a server knows that was away for a moment; pods may be made in the meantime."""
    return EnforcementWindow(LATER, "2026-08-01T05:59:59Z")


def test_a_pod_that_was_placed_just_before_the_start_proves_that_a_younger_one_was_missed() -> None:
    since = just_away()
    other = asking()

    assert check_placement(pod(AFTER), other, INSTALLATION, since) is None
    check_placement(pod(BEFORE, placed=True), other, INSTALLATION, since)
    assert check_placement(pod(AFTER), other, INSTALLATION, since) is not None
    older = asking(written="")
    assert check_placement(pod("2026-08-01T05:59:59Z"), older, INSTALLATION, since) is None
    assert check_placement(pod(BEFORE), older, INSTALLATION, since) is not None


def test_a_proof_counts_for_what_its_mode_came_from() -> None:
    target, elsewhere = asking(), msgspec.structs.replace(asking(), target_namespace="elsewhere")
    by_namespace = Installation(
        mode=Mode.AUDIT, namespace_modes={"target": Mode.ENFORCE, "elsewhere": Mode.ENFORCE}
    )
    since = just_away()
    check_placement(pod(BEFORE, placed=True), target, by_namespace, since)

    there = pod(namespace="elsewhere")
    assert check_placement(there, elsewhere, by_namespace, since) is None
    assert check_placement(pod(), target, by_namespace, since) is not None
    assert check_placement(pod(), asking(mode=Mode.ENFORCE), by_namespace, since) is not None


def test_a_plan_that_enforces_alone_proves_nothing_of_the_others() -> None:
    since = just_away()
    check_placement(pod(BEFORE, placed=True), asking(mode=Mode.ENFORCE), AUDIT, since)

    assert check_placement(pod(), asking(), INSTALLATION, since) is None
    assert check_placement(pod(), asking(mode=Mode.ENFORCE), AUDIT, since) is not None


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
