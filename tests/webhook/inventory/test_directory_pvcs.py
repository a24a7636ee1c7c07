import json
from pathlib import Path
from typing import Any

import pytest

from tests.support import pvcs
from tests.support.pvcs import MIGRATION, zone_terms
from tests.support.waiting import eventually
from webhook.inventory import VmDisk, VmRef
from webhook.inventory.directory_plans import DirectoryPlans
from webhook.kube.objects import Json
from webhook.model import Disk, Installation, PvcRef

VM = VmRef("vms", MIGRATION, "vm-1")
DISK = pvcs.pvc()
A = zone_terms("a")


@pytest.fixture
def plans(tmp_path: Path) -> DirectoryPlans:
    return DirectoryPlans(tmp_path, Installation())


def write(folder: Path, *objects: Json, name: str = "pvcs.json") -> None:
    (folder / name).write_text(json.dumps({"kind": "List", "items": objects}))


def find(plans: DirectoryPlans, pvc: Json = DISK) -> Disk:
    metadata = pvc["metadata"]
    ref = PvcRef(metadata["namespace"], metadata["name"], metadata["uid"])
    disk = plans.pvcs.find_disk(ref)
    assert disk
    return disk


def test_disks_are_found_with_their_classes_and_volumes(
    plans: DirectoryPlans, tmp_path: Path
) -> None:
    second = pvcs.pvc("db-vm-1-disk-1", volume="pv-1")
    write(tmp_path, DISK, second)
    write(tmp_path, pvcs.volume("pv-1", A), name="volumes.json")
    write(tmp_path, pvcs.storage_class(mode="Immediate"), name="classes.json")
    assert not plans.pvcs.status().synced
    plans.scan()
    disk = find(plans)
    assert not disk.waits_for_first_consumer
    assert disk.age_seconds > 60
    [sibling] = disk.siblings
    assert (sibling.bound, sibling.node_terms) == (True, A)
    status = plans.pvcs.status()
    assert (status.synced, status.count, status.message) == (True, 2, "")
    assert status.age_seconds < 10


def test_a_disk_is_found_through_the_pvc_that_fills_it(
    plans: DirectoryPlans, tmp_path: Path
) -> None:
    prime = pvcs.prime_pvc(DISK, volume="pv-1")
    write(tmp_path, DISK, prime, pvcs.volume("pv-1", A))
    plans.scan()
    assert find(plans, prime).bound
    assert plans.pvcs.list_disks(VM) == [VmDisk(find(plans).pvc, bound=True, node_terms=A)]


def test_changes_of_files_are_applied_and_reported(plans: DirectoryPlans, tmp_path: Path) -> None:
    changed: list[VmRef] = []
    plans.pvcs.subscribe(changed.append)
    bound = pvcs.pvc(volume="pv-1")

    def terms(*objects: Json) -> Any:
        write(tmp_path, *objects)
        changed.clear()
        plans.scan()
        return [disk.node_terms for disk in plans.pvcs.list_disks(VM)], changed

    assert terms(DISK) == ([None], [VM])
    assert terms(bound) == ([None], [VM])
    assert terms(bound, pvcs.volume("pv-1", A)) == ([A], [VM])
    assert terms(bound, pvcs.volume("pv-1", A), pvcs.storage_class()) == ([A], [])
    assert terms(bound, pvcs.volume("pv-1")) == ([[]], [VM])
    assert terms(bound) == ([None], [VM])
    assert terms() == ([], [VM])


def test_a_change_is_applied_within_two_seconds(plans: DirectoryPlans, tmp_path: Path) -> None:
    plans.start()
    plans.pvcs.start()
    write(tmp_path, DISK)
    eventually(lambda: plans.pvcs.list_vms() == [VM], seconds=2)
    plans.pvcs.stop()
    plans.stop()


def test_a_pvc_that_is_in_two_files_is_reported(plans: DirectoryPlans, tmp_path: Path) -> None:
    write(tmp_path, DISK, name="1.json")
    write(tmp_path, pvcs.pvc(volume="pv-1"), name="2.json")
    plans.scan()
    assert not find(plans).bound
    assert plans.status().message.startswith(
        f"{tmp_path}/2.json: PersistentVolumeClaim vms/db-vm-1-disk-0 is in '{tmp_path}/1.json' "
        "too, which is used"
    )


def test_a_file_that_becomes_invalid_keeps_its_disks(plans: DirectoryPlans, tmp_path: Path) -> None:
    write(tmp_path, DISK)
    plans.scan()
    write(tmp_path, DISK | {"metadata": {"name": 7}})
    plans.scan()
    assert find(plans)
    assert "PersistentVolumeClaim: 'metadata.name': expected text" in plans.status().message
