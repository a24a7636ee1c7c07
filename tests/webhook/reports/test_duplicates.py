"""VMs that have several convertor pods at the same time."""

import json
from typing import Any

import pytest

from tests.support.builders import plan, pod
from tests.support.paths import DATA
from webhook.kube.objects import Json
from webhook.reports.duplicates import DuplicatePods, find_duplicates

LABELS = {
    "forklift.app": "virt-v2v",
    "plan": "uid-db",
    "migration": "uid-migration",
    "vmID": "vm-1",
    "workload": "batch",
}
PLAN = plan(spec={"convertorLabels": {"workload": "batch"}})


def convertor(
    name: str, phase: str = "Running", *, metadata: Json | None = None, **labels: Any
) -> Json:
    """Return a pod of the VM; a label that is None is removed."""
    named = {key.replace("_", "-"): value for key, value in labels.items()}
    present = {key: value for key, value in (LABELS | named).items() if value is not None}
    return pod(f"vms/{name}", "a", present, metadata=metadata, status={"phase": phase})


def test_pods_of_a_vm_that_have_not_ended_are_listed_by_age() -> None:
    younger = convertor("a", metadata={"creationTimestamp": "2026-08-01T08:00:01Z"})
    older = convertor("b", "Pending", metadata={"creationTimestamp": "2026-08-01T08:00:00Z"})
    (found,) = find_duplicates([younger, older], PLAN)
    assert found == DuplicatePods("vm-1", "uid-migration", ["vms/b", "vms/a"], [])
    assert str(found) == "VM 'vm-1' has 2 convertor pods on the same disks: vms/b, vms/a"


@pytest.mark.parametrize(
    "other",
    [
        convertor("b", "Succeeded"),
        convertor("b", "Failed"),
        convertor("b", metadata={"deletionTimestamp": "2026-08-01T08:00:00Z"}),
        convertor("b", vmID="vm-2"),
        convertor("b", migration="another"),
        convertor("b", plan="another"),
        convertor("b", migration=None),
    ],
)
def test_a_pod_that_ends_or_is_of_another_vm_or_migration_does_not_count(other: Json) -> None:
    assert find_duplicates([convertor("a"), other], PLAN) == []


def test_every_vm_is_found() -> None:
    pods = [convertor(f"{vm}-{i}", vmID=vm) for vm in ("vm-2", "vm-1", "vm-3") for i in range(2)]
    assert [each.vm for each in find_duplicates(pods[:-1], PLAN)] == ["vm-1", "vm-2"]


def test_labels_that_another_client_has_changed_or_removed_are_listed() -> None:
    pods = [convertor("a", workload="x"), convertor("b", workload=None), convertor("c")]
    (found,) = find_duplicates(pods, PLAN)
    assert found.labels == [
        "label workload: expected 'batch' as in spec.convertorLabels, found 'x' and no such label"
    ]
    assert str(found).endswith(f"vms/a, vms/b, vms/c; {found.labels[0]}")


def test_labels_of_forklift_that_differ_between_the_pods_are_listed() -> None:
    pods = [convertor("a", conversion="x", plan_name="db"), convertor("b", conversion="y")]
    (found,) = find_duplicates(pods, PLAN)
    assert found.labels == [
        "label conversion: expected one value, found 'x' and 'y'",
        "label plan-name: expected one value, found 'db' and no such label",
    ]


@pytest.mark.parametrize("labels", [{"migration": "x"}, {"workload": 1}])
def test_forklifts_labels_and_invalid_ones_in_a_plan_are_not_compared(labels: Json) -> None:
    pods = [convertor("a"), convertor("b")]
    (found,) = find_duplicates(pods, plan(spec={"convertorLabels": labels}))
    assert found.labels == []


def test_a_message_does_not_list_all_of_many_pods() -> None:
    (found,) = find_duplicates([convertor(f"p{i}") for i in range(22)], PLAN)
    assert len(found.pods) == 22
    assert str(found) == (
        "VM 'vm-1' has 22 convertor pods on the same disks: "
        "vms/p0, vms/p1, vms/p10, vms/p11, vms/p12, …"
    )


@pytest.mark.parametrize("name", ["v2.9-vsphere-cold", "v2.10-vsphere-no-settings", "v2.12-no-kvm"])
def test_pods_of_every_release_have_the_labels_of_their_vm(name: str) -> None:
    forklifts = json.loads((DATA / "pods" / f"{name}.json").read_text())
    (found,) = find_duplicates([forklifts, forklifts], PLAN)
    assert found.vm == forklifts["metadata"]["labels"]["vmID"]
