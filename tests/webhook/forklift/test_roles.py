"""The role of a pod follows from its labels, its name, and the state of its PVC."""

from copy import deepcopy
from typing import Any

import pytest

from tests.support.migration_pods import PODS, disk_of, kind_of, resolve_pod
from webhook.forklift.roles import PodKind, recognize, resolve
from webhook.kube.objects import Json
from webhook.model import PvcRef, Role

IMPORTER = PODS["cdi-1.62-importer-vddk-warm-forklift-2.10"]
LABELLED = PODS["cdi-1.66-importer-vddk-warm-forklift-2.12"]
PVC = PvcRef("target", "high-io-migration-vm-1630-p5tzr", "77777777-7777-4777-8777-777777777777")
ROLES = {
    "deep-inspection": Role.INSPECTION,
    "inspection": Role.INSPECTION,
    "virt-v2v": Role.CONVERTOR,
    "vsphere": Role.CONVERTOR,
    "no-kvm": Role.CONVERTOR,
    "pvcinit": Role.FIRST_CONSUMER,
    "importer": Role.IMPORTER,
    "populator": Role.POPULATOR,
    "hook": None,
    "vddk-validator": None,
    "wait-for-reboot": None,
}
"""Expected roles, by the first of these words in the name of a file that matches."""
ORDER = ["importer", "pvcinit", "populator", "hook", "vddk-validator", "wait-for-reboot", *ROLES]


@pytest.mark.parametrize("name", PODS)
def test_every_printed_pod_has_its_role(name: str) -> None:
    expected = next(ROLES[word] for word in ORDER if word in name)

    kind = kind_of(PODS[name])

    assert (kind.role if kind else None) is expected


@pytest.mark.parametrize("name", [name for name in PODS if "inspection" in name])
def test_only_deep_inspections_are_in_the_namespace_of_the_plan(name: str) -> None:
    kind = kind_of(PODS[name])

    assert kind
    assert kind.in_plan_namespace is ("deep-inspection" in name)


def test_the_pvc_of_an_importer_is_its_controller() -> None:
    assert kind_of(IMPORTER) == PodKind(Role.IMPORTER, PVC)


def test_the_pvc_of_a_populator_has_its_label_and_the_uid_in_its_name() -> None:
    uid = "5d9a6c1e-2b3f-4c7d-9e10-a1b2c3d4e5f6"

    assert kind_of(PODS["forklift-2.10-populator-ovirt-wffc"]) == PodKind(
        Role.POPULATOR, PvcRef("target", "high-io-migration-vm-1630-disk-0", uid)
    )


def change(path: str, value: object, pod: Json = IMPORTER) -> Json:
    changed = deepcopy(pod)
    *parents, last = path.split(".")
    found: Any = changed
    for each in parents:
        found = found[int(each)] if each.isdecimal() else found[each]
    found[last] = value
    return changed


POPULATOR = PODS["forklift-2.12-populator-ovirt-wffc"]


@pytest.mark.parametrize(
    "pod",
    [
        change("metadata.name", "cdi-upload-db"),
        change("metadata.labels", {"app": "containerized-data-importer"}),
        change("metadata.labels", ["cdi.kubevirt.io"]),
        change("metadata.ownerReferences", None),
        change("metadata.ownerReferences", "x"),
        change("metadata.ownerReferences.0.controller", value=False),
        change("metadata.ownerReferences.0.kind", "DataVolume"),
        change("metadata.ownerReferences.0.apiVersion", "example.com/v1"),
        change("metadata.ownerReferences.0.name", ""),
        change("metadata.ownerReferences.0.uid", 1),
        change("metadata.ownerReferences", ["x"]),
        change("spec.containers.0.name", "main"),
        change("metadata.name", "web", POPULATOR),
        change("metadata.labels.pvcName", "", POPULATOR),
        change("metadata.labels.pvcName", "x" * 254, POPULATOR),
    ],
)
def test_a_pod_that_only_resembles_one_is_not_a_migration_pod(pod: Json) -> None:
    assert kind_of(pod) is None


def test_an_importer_is_recognized_by_metadata_alone() -> None:
    assert recognize(IMPORTER["metadata"], "target") == PodKind(Role.IMPORTER, PVC)


@pytest.mark.parametrize(
    ("bound", "waits", "role"),
    [
        (False, True, Role.FIRST_CONSUMER),
        (True, True, Role.IMPORTER),
        (False, False, Role.IMPORTER),
        (True, False, Role.IMPORTER),
    ],
)
@pytest.mark.parametrize("pod", [IMPORTER, LABELLED])
def test_an_importer_is_a_first_consumer_until_its_volume_has_a_place(
    pod: Json, role: Role, *, bound: bool, waits: bool
) -> None:
    disk = disk_of(PVC, bound=bound, waits=waits)

    found = resolve_pod(pod, disk)

    assert found
    assert (found.role, found.disk) == (role, disk)


def test_an_importer_with_an_unknown_pvc_is_a_first_consumer_of_the_plan_in_its_labels() -> None:
    found = resolve_pod(LABELLED, None)

    assert found
    uid = LABELLED["metadata"]["labels"]["plan"]
    assert found.ref
    assert (found.role, found.ref.uid) == (Role.FIRST_CONSUMER, uid)


@pytest.mark.parametrize(
    "name",
    [
        "cdi-1.62-importer-vddk-warm-forklift-2.12",
        "cdi-1.63-importer-http-no-forklift",
        "forklift-2.10-populator-ovirt-wffc",
        "forklift-main-deep-inspection-standalone",
    ],
)
def test_a_pod_that_leads_to_no_plan_is_not_a_migration_pod(name: str) -> None:
    assert resolve_pod(PODS[name], None) is None


def test_a_convertor_pod_without_a_plan_is_reported() -> None:
    found = resolve(PodKind(Role.CONVERTOR), {}, "target", None)

    assert found
    assert found.ref is None


@pytest.mark.parametrize(
    "name",
    [
        "cdi-1.62-importer-vddk-warm-forklift-2.12",
        "forklift-2.10-populator-ovirt-wffc",
    ],
)
def test_a_pod_without_labels_of_a_plan_belongs_to_that_of_its_pvc(name: str) -> None:
    kind = kind_of(PODS[name])
    assert kind
    assert kind.pvc
    disk = disk_of(kind.pvc)

    found = resolve_pod(PODS[name], disk)

    assert found
    assert found.ref == disk.pvc.ref


def test_a_preset_node_is_kept_in_mind() -> None:
    name = "cdi-1.66-importer-vddk-cdi-populator-nodename-forklift-2.12"
    nodes = [resolve_pod(pod, None) for pod in (PODS[name], LABELLED)]

    assert [found.has_node for found in nodes if found] == [True, False]
