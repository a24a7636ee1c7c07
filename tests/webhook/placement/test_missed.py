"""Missed pods and removed labels are reported, and no pod is reported falsely."""

from typing import Any

import msgspec
import pytest

from tests.support.affinity_terms import is_in
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
from webhook.forklift.roles import PodKind
from webhook.kube.objects import Json
from webhook.model import (
    DEFAULT_ROLES,
    Disk,
    Disks,
    Installation,
    Mode,
    Plan,
    PlanRef,
    Pvc,
    PvcRef,
    Reason,
    Role,
    RoleSettings,
    SiblingDisk,
)
from webhook.placement.missed import (
    NOTHING_OBSERVED,
    EnforcementWindow,
    Observed,
    PodMetadata,
    check_placement,
    plan_ref,
    read_metadata,
)

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


def test_the_metadata_of_other_pods_are_not_read() -> None:
    for metadata in ({"name": "a"}, {"name": "populate-a", "labels": {"cdi.kubevirt.io": "x"}}):
        assert read_metadata(metadata, INSTALLATION.prefix) is None


ROLE = f"{INSTALLATION.prefix}/role"
LABELS = {"plan": "b277", "vmID": "vm-1"}
PVC = PvcRef("target", "disk-0", "uid-0")
PRIME = PvcRef("target", "prime-77777777-7777-4777-8777-777777777777", "uid-1")
IMPORTER, CONSUMER = PodKind(Role.IMPORTER, PVC), PodKind(Role.FIRST_CONSUMER)
POPULATOR, PRIME_IMPORTER = PodKind(Role.POPULATOR, PVC), PodKind(Role.IMPORTER, PRIME)
INSPECTION = PodKind(Role.INSPECTION, in_plan_namespace=True)
UNBOUND = Observed(was_unbound=True)
ALL = tuple(Role)
NVME = {"matchExpressions": [{"key": "disk", "operator": "In", "values": ["nvme"]}]}
RULES = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [NVME]}}
NO_EXECUTE = {"key": "gpu", "operator": "Exists", "effect": "NoExecute"}
ON_NODE: dict[str, Any] = {"labels": {}, "affinity": {"nodeAffinity": RULES}}
TOLERATED: dict[str, Any] = {"labels": {}, "tolerations": [NO_EXECUTE]}


def role_pod(kind: PodKind, **changes: Any) -> PodMetadata:
    return pod(kind=kind, labels=LABELS, **changes)


def missed_role(
    kind: PodKind, observed: Observed = NOTHING_OBSERVED, **settings: Any
) -> Role | None:
    plan = enforced_plan(**settings)
    found = check_placement(role_pod(kind), plan, INSTALLATION, EnforcementWindow(), observed)
    return found and found.role


@pytest.mark.parametrize(
    ("kind", "observed", "pods", "role"),
    [
        (CONSUMER, NOTHING_OBSERVED, DEFAULT_ROLES, Role.FIRST_CONSUMER),
        (CONSUMER, NOTHING_OBSERVED, (Role.CONVERTOR,), None),
        (IMPORTER, UNBOUND, DEFAULT_ROLES, Role.FIRST_CONSUMER),
        (IMPORTER, UNBOUND, (Role.IMPORTER,), None),
        (IMPORTER, NOTHING_OBSERVED, DEFAULT_ROLES, None),
        (IMPORTER, NOTHING_OBSERVED, (Role.IMPORTER,), None),
        (IMPORTER, NOTHING_OBSERVED, ALL, Role.IMPORTER),
        (POPULATOR, NOTHING_OBSERVED, DEFAULT_ROLES, None),
        (POPULATOR, NOTHING_OBSERVED, ALL, Role.POPULATOR),
        (PodKind(Role.CONVERTOR), NOTHING_OBSERVED, (Role.IMPORTER,), None),
    ],
)
def test_a_pod_is_missed_if_the_plan_selects_every_role_that_it_may_have(
    kind: PodKind, observed: Observed, pods: tuple[Role, ...], role: Role | None
) -> None:
    assert missed_role(kind, observed, pods=pods) is role


@pytest.mark.parametrize("kind", [POPULATOR, PRIME_IMPORTER])
def test_a_pod_that_may_have_been_created_with_a_node_is_missed_if_it_gets_settings_then(
    kind: PodKind,
) -> None:
    assert missed_role(kind, pods=ALL, **ON_NODE) is None
    assert missed_role(kind, pods=ALL, **TOLERATED) is kind.role
    assert missed_role(kind, **TOLERATED) is None  # without a node the role is not selected


def test_an_importer_of_a_pvc_that_is_filled_directly_has_no_node_at_its_creation() -> None:
    assert missed_role(IMPORTER, pods=ALL, **ON_NODE) is Role.IMPORTER


@pytest.mark.parametrize(
    ("zones", "affinity", "role"),
    [
        (["a", "b"], RULES, None),  # a review may have found the same, and added nothing
        (["a", "a"], RULES, Role.FIRST_CONSUMER),
        (["a", "a"], None, None),  # the others may have been bound only since
    ],
    ids=["excluded", "rules", "no rules"],
)
def test_a_first_consumer_is_missed_if_it_is_placed_with_and_without_the_other_disks(
    zones: list[str], affinity: Json | None, role: Role | None
) -> None:
    siblings = [SiblingDisk(name, bound=True, node_terms=[is_in("zone", name)]) for name in zones]
    disk = Disk(Pvc(*PVC, vm="vm-1"), bound=False, siblings=siblings)
    settings: dict[str, Any] = {
        "affinity": {"nodeAffinity": affinity} if affinity else {},
        "labels": {},
    }

    found = missed_role(
        IMPORTER, Observed(disk, was_unbound=True), disks=Disks.TOGETHER, **settings
    )

    assert found is role


def test_the_message_names_the_role_and_the_cause_that_its_pvc_was_not_known() -> None:
    found = check(role_pod(IMPORTER), enforced_plan(pods=ALL))
    assert found == (Reason.MISSED, f"importer {UNREVIEWED}")

    assert check(role_pod(IMPORTER, ref=None), enforced_plan(pods=ALL)) == (
        Reason.MISSED,
        (
            "importer pod 'target/db-vm-1' was created without the placement of plan "
            "'konveyor-forklift/db': the webhook was not called, did not know the pod's PVC yet, "
            "or its review failed"
        ),
    )


def test_a_pod_is_of_the_plan_that_its_pvc_names_if_its_labels_name_none() -> None:
    disk = Disk(Pvc(*PVC, ref=PlanRef(uid="of-pvc")), bound=True)

    assert plan_ref(role_pod(IMPORTER), Observed(disk)) == PlanRef(uid="b277")
    assert plan_ref(role_pod(IMPORTER, ref=None), Observed(disk)) == PlanRef(uid="of-pvc")
    assert plan_ref(role_pod(IMPORTER, ref=None), NOTHING_OBSERVED) is None


def test_a_deep_inspection_is_in_the_namespace_of_its_plan() -> None:
    plan = enforced_plan(pods=ALL)

    assert check(role_pod(INSPECTION), plan) is None
    assert check(role_pod(INSPECTION, namespace="konveyor-forklift"), plan)


def placed_pod(kind: PodKind, **labels: str) -> PodMetadata:
    return pod(kind=kind, labels=LABELS | labels, placement=PLACEMENT)


@pytest.mark.parametrize("pods", [ALL, DEFAULT_ROLES], ids=["selected", "for its preset node"])
def test_a_placed_pod_with_the_labels_of_its_role_has_no_finding(pods: tuple[Role, ...]) -> None:
    plan = enforced_plan(pods=pods)
    own = {"batch": "1"} if Role.POPULATOR in pods else {}

    assert check(placed_pod(POPULATOR, **{ROLE: "populator"}, **own), plan) is None


@pytest.mark.parametrize(
    ("labels", "described", "expected"),
    [
        ({ROLE: "importer"}, "importer pod", "batch=1"),
        ({ROLE: "first-consumer"}, "first-consumer pod", "batch=2"),
        ({"batch": "1"}, "importer pod", ROLE),
        ({ROLE: "other", "batch": "1"}, "importer pod", ROLE),
    ],
)
def test_a_placed_importer_without_labels_of_its_role_is_changed_back(
    labels: dict[str, str], described: str, expected: str
) -> None:
    by_role = {Role.FIRST_CONSUMER: RoleSettings(labels={"batch": "2"})}

    assert check(placed_pod(IMPORTER, **labels), enforced_plan(pods=ALL, roles=by_role)) == (
        Reason.CHANGED_BACK,
        (
            f"{described} 'target/db-vm-1' was placed by plan 'konveyor-forklift/db', and another "
            f"client has removed labels since: expected {expected}"
        ),
    )


def test_a_placed_pod_extends_the_window_for_pods_of_its_kind() -> None:
    window, plan = restarted(), enforced_plan(pods=ALL)
    check_placement(pod(BEFORE, placed=True), plan, INSTALLATION, window)

    assert check_placement(role_pod(POPULATOR), plan, INSTALLATION, window) is None
    check_placement(
        role_pod(POPULATOR, created=BEFORE, placement=PLACEMENT), plan, INSTALLATION, window
    )
    assert check_placement(role_pod(POPULATOR), plan, INSTALLATION, window) is not None
