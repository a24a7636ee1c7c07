import itertools
from collections.abc import Iterable, Iterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import pvcs
from tests.support.pvcs import MIGRATION, zone_terms
from webhook.forklift.pvc import PvcObject
from webhook.inventory import VmDisk, VmRef
from webhook.inventory.pvc_index import MAX_DISKS, PvcIndex
from webhook.kube.objects import Json
from webhook.model import Disk, PlanRef, Pvc, PvcRef, SiblingDisk

VM = VmRef("vms", MIGRATION, "vm-1")
AGES = {"2026-08-01T09:00:00Z": 60.0, "2026-08-01T09:00:01Z": 59.0}


def read(pvc: Json) -> Pvc:
    return msgspec.convert(pvc, PvcObject).to_pvc()


DISK = read(pvcs.pvc())
SECOND = read(pvcs.pvc("db-vm-1-disk-1"))
BOUND = read(pvcs.pvc(volume="pv-0"))
PRIME = read(pvcs.prime_pvc(pvcs.pvc()))
BOUND_PRIME = read(pvcs.prime_pvc(pvcs.pvc(), volume="pv-0"))
SECOND_PRIME = read(pvcs.prime_pvc(pvcs.pvc("db-vm-1-disk-1"), volume="pv-1"))
DELETED = read(pvcs.pvc("db-vm-1-disk-1", deleting=True))


@pytest.fixture
def index() -> PvcIndex:
    return PvcIndex(AGES.__getitem__)


def ref_to(pvc: Pvc, **changes: str) -> PvcRef:
    return PvcRef(pvc.namespace, pvc.name, pvc.uid)._replace(**changes)


def find(index: PvcIndex, pvc: Pvc = DISK, **changes: str) -> Disk:
    disk = index.find_disk(ref_to(pvc, **changes))
    assert disk
    return disk


def put(index: PvcIndex, *found: Pvc) -> None:
    for pvc in found:
        index.put(pvc)


def siblings(index: PvcIndex) -> list[SiblingDisk]:
    return find(index).siblings


def sibling(pvc: Pvc, *, bound: bool, node_terms: list[Json] | None = None) -> SiblingDisk:
    return SiblingDisk(pvc.name, bound, node_terms, storage_class="local")


def test_a_disk_is_found_by_the_reference_of_its_pod(index: PvcIndex) -> None:
    put(index, DISK)
    assert find(index) == Disk(DISK, bound=False, age_seconds=60.0)
    assert len(index) == 1


@pytest.mark.parametrize("field", ["namespace", "name", "uid"])
def test_a_reference_is_known_only_if_namespace_name_and_uid_match(
    index: PvcIndex, field: str
) -> None:
    put(index, DISK)
    assert index.find_disk(ref_to(DISK, **{field: "other"})) is None


def test_a_pvc_without_a_plan_is_not_kept(index: PvcIndex) -> None:
    mine = read(pvcs.printed("no-forklift-http-reconstructed"))
    assert index.put(mine) == ()
    assert len(index) == 0


def test_a_disk_that_loses_its_plan_is_forgotten(index: PvcIndex) -> None:
    put(index, DISK)
    assert index.put(read(pvcs.pvc(metadata={"labels": {}}))) == (VM,)
    assert len(index) == 0


# Prime PVCs


def test_a_prime_pvc_leads_to_the_disk_that_it_fills(index: PvcIndex) -> None:
    put(index, DISK, PRIME)
    assert find(index, PRIME) == Disk(DISK, bound=False, age_seconds=60.0)


def test_an_unknown_prime_pvc_leads_to_the_disk_and_is_not_bound(index: PvcIndex) -> None:
    put(index, BOUND)
    assert find(index, PRIME) == Disk(BOUND, bound=False, age_seconds=60.0)


def test_a_prime_pvc_of_another_uid_is_not_bound(index: PvcIndex) -> None:
    put(index, DISK, BOUND_PRIME)
    assert find(index, BOUND_PRIME).bound
    assert not find(index, BOUND_PRIME, uid="created again").bound


def test_a_pod_of_the_disk_is_bound_by_the_pvc_that_it_writes_to(index: PvcIndex) -> None:
    put(index, DISK, BOUND_PRIME)
    assert not find(index, DISK).bound
    put(index, BOUND, PRIME)
    assert find(index, DISK).bound
    assert not find(index, PRIME).bound


def test_a_prime_pvc_in_another_namespace_leads_nowhere(index: PvcIndex) -> None:
    elsewhere = msgspec.structs.replace(BOUND_PRIME, namespace="other", uid="other")
    put(index, DISK)
    assert index.put(elsewhere) == ()
    assert index.find_disk(ref_to(elsewhere)) is None
    assert not find(index, BOUND_PRIME).bound


def test_a_prime_pvc_of_an_unknown_disk_leads_nowhere(index: PvcIndex) -> None:
    assert index.put(PRIME) == ()
    assert index.find_disk(ref_to(PRIME)) is None


def test_a_prime_pvc_of_a_prime_pvc_leads_nowhere(index: PvcIndex) -> None:
    of_prime = read(pvcs.prime_pvc(pvcs.prime_pvc(pvcs.pvc())))
    put(index, DISK, of_prime)
    index.put(msgspec.structs.replace(PRIME, uid=of_prime.name.removeprefix("prime-")))
    assert index.find_disk(ref_to(of_prime)) is None


def test_a_prime_pvc_that_is_created_again_outlives_the_first_one(index: PvcIndex) -> None:
    again = msgspec.structs.replace(BOUND_PRIME, uid="again")
    put(index, DISK, PRIME, again)
    index.discard(PRIME.uid)
    assert find(index, again).bound


# Siblings


def test_siblings_are_the_other_disks_of_a_vm_in_a_migration(index: PvcIndex) -> None:
    others = [
        read(pvcs.pvc("other-vm", vm="vm-2")),
        read(pvcs.pvc("other-migration", migration="another")),
        read(pvcs.pvc("other-namespace", "other")),
        read(pvcs.pvc("no-vm", vm="")),
        read(pvcs.pvc("no-migration", migration="")),
    ]
    put(index, DISK, SECOND, *others)
    assert siblings(index) == [sibling(SECOND, bound=False)]
    assert find(index, others[3]).siblings == find(index, others[4]).siblings == []
    assert len(index.list_vms()) == 4


def test_prime_pvcs_are_not_siblings(index: PvcIndex) -> None:
    labelled = pvcs.prime_pvc(pvcs.pvc(), labels=pvcs.pvc()["metadata"]["labels"])
    put(index, DISK, read(labelled))
    assert siblings(index) == []


def test_a_disk_that_is_being_deleted_is_not_a_sibling(index: PvcIndex) -> None:
    put(index, DISK, DELETED)
    assert siblings(index) == []
    assert index.list_disks(VM) == [VmDisk(DISK, bound=False)]
    assert find(index, DELETED).siblings == [sibling(DISK, bound=False)]


def test_a_sibling_is_bound_where_its_volume_is(index: PvcIndex) -> None:
    bound = read(pvcs.pvc("db-vm-1-disk-1", volume="pv-1"))
    put(index, DISK, bound)
    assert siblings(index) == [sibling(bound, bound=True)]
    index.set_node_terms(bound, zone_terms("a"))
    assert siblings(index) == [sibling(bound, bound=True, node_terms=zone_terms("a"))]


def test_a_sibling_is_bound_where_the_volume_of_its_prime_pvc_is(index: PvcIndex) -> None:
    put(index, DISK, SECOND, SECOND_PRIME)
    assert siblings(index) == [sibling(SECOND, bound=True)]
    index.set_node_terms(SECOND_PRIME, zone_terms("a"))
    assert siblings(index) == [sibling(SECOND, bound=True, node_terms=zone_terms("a"))]


def test_an_unbound_prime_pvc_does_not_bind_a_sibling(index: PvcIndex) -> None:
    put(index, DISK, SECOND, read(pvcs.prime_pvc(pvcs.pvc("db-vm-1-disk-1"))))
    assert siblings(index) == [sibling(SECOND, bound=False)]


@pytest.mark.parametrize(
    ("name", "created", "is_first"),
    [
        ("db-vm-1-disk-1", "2026-08-01T09:00:00Z", True),
        ("db-vm-1-disk", "2026-08-01T09:00:00Z", False),
        ("db-vm-1-disk", "2026-08-01T09:00:01Z", True),
        ("db-vm-1-disk-1", "2026-08-01T08:59:59Z", False),
    ],
)
def test_the_first_disk_is_the_oldest_one_and_then_the_first_by_name(
    index: PvcIndex, name: str, created: str, is_first: bool
) -> None:
    put(index, DISK, read(pvcs.pvc(name, created=created)))
    assert find(index).is_first is is_first


def test_a_disk_that_is_being_deleted_is_not_the_first(index: PvcIndex) -> None:
    put(index, DISK, read(pvcs.pvc("a", deleting=True)))
    assert find(index).is_first


def test_the_first_disk_is_the_oldest_one_that_is_not_bound(index: PvcIndex) -> None:
    put(index, DISK, read(pvcs.pvc("a", volume="pv-1")))
    assert find(index).is_first


def test_a_vm_has_a_limited_number_of_disks(index: PvcIndex) -> None:
    disks = [read(pvcs.pvc(f"disk-{number}")) for number in range(MAX_DISKS + 2)]
    put(index, *disks, *disks)
    assert len(index.list_disks(VM)) == len(find(index, disks[-1]).siblings) == MAX_DISKS
    for disk in disks:
        index.discard(disk.uid)
    assert (len(index), index.list_vms()) == (0, [])


@given(st.permutations(range(4)), st.lists(st.integers(0, 1), min_size=4, max_size=4))
def test_exactly_one_disk_of_a_vm_is_the_first(order: list[int], seconds: list[int]) -> None:
    index = PvcIndex(AGES.__getitem__)
    found = [
        read(pvcs.pvc(f"disk-{number}", created=f"2026-08-01T09:00:0{second}Z"))
        for number, second in zip(order, seconds, strict=True)
    ]
    put(index, *found)
    first = [pvc for pvc in found if find(index, pvc).is_first]
    assert first == [min(found, key=lambda pvc: (pvc.created, pvc.name))]


# StorageClasses


@pytest.mark.parametrize(
    ("waits", "expected"), [({}, True), ({"local": True}, True), ({"local": False}, False)]
)
def test_a_disk_waits_for_its_first_consumer_unless_its_class_is_known_not_to(
    index: PvcIndex, waits: dict[str, bool], expected: bool
) -> None:
    index.set_binding_modes(waits)
    put(index, DISK)
    assert find(index).waits_for_first_consumer is expected


# Node terms of volumes


def test_a_bound_pvc_is_unread_until_its_node_terms_are_set(index: PvcIndex) -> None:
    put(index, DISK)
    assert index.find_unread_volume(DISK.uid) is None
    put(index, BOUND)
    assert index.find_unread_volume(DISK.uid) == BOUND
    index.set_node_terms(BOUND, [])
    assert index.find_unread_volume(DISK.uid) is None
    assert index.find_unread_volume("unknown") is None


def test_unread_volumes_of_a_list_are_listed_by_age(index: PvcIndex) -> None:
    newer = read(pvcs.pvc("a", created="2026-08-01T09:00:01Z", volume="pv-1"))
    put(index, newer, BOUND, SECOND)
    index.put(BOUND_PRIME, labelled=False)
    assert index.list_unread_volumes() == [BOUND.uid, newer.uid]
    assert index.list_unread_volumes(labelled=False) == [PRIME.uid]


def test_node_terms_are_kept_while_a_pvc_has_the_same_volume(index: PvcIndex) -> None:
    put(index, BOUND)
    index.set_node_terms(BOUND, zone_terms("a"))
    put(index, msgspec.structs.replace(BOUND, storage_class="other"))
    assert index.list_disks(VM)[0].node_terms == zone_terms("a")
    put(index, msgspec.structs.replace(BOUND, volume="another"))
    assert index.list_disks(VM)[0].node_terms is None


def test_a_disk_takes_over_the_node_terms_with_the_volume_of_its_prime_pvc(
    index: PvcIndex,
) -> None:
    put(index, DISK, BOUND_PRIME)
    index.set_node_terms(BOUND_PRIME, zone_terms("a"))
    put(index, BOUND)
    index.discard(PRIME.uid)
    assert index.list_disks(VM) == [VmDisk(BOUND, bound=True, node_terms=zone_terms("a"))]


def test_volumes_in_one_place_share_their_node_terms(index: PvcIndex) -> None:
    bound = read(pvcs.pvc("db-vm-1-disk-1", volume="pv-1"))
    put(index, BOUND, bound)
    index.set_node_terms(BOUND, zone_terms("a"))
    index.set_node_terms(bound, zone_terms("a"))
    first, second = index.list_disks(VM)
    assert first.node_terms is second.node_terms


@pytest.mark.parametrize("now", [None, msgspec.structs.replace(BOUND, volume="another")])
def test_node_terms_of_a_volume_that_a_pvc_no_longer_has_are_dropped(
    index: PvcIndex, now: Pvc | None
) -> None:
    put(index, BOUND)
    index.discard(BOUND.uid)
    put(index, *filter(None, [now]))
    assert index.set_node_terms(BOUND, zone_terms("a")) == ()
    assert all(disk.node_terms is None for disk in index.list_disks(VM))


# Changes


def test_each_change_of_a_vms_disks_is_returned(index: PvcIndex) -> None:
    assert index.put(DISK) == (VM,)
    assert index.put(DISK) == ()
    assert index.put(PRIME) == (VM,)
    assert index.put(BOUND) == (VM,)
    assert index.set_node_terms(BOUND, []) == (VM,)
    assert index.discard(PRIME.uid) == (VM,)
    assert index.discard(DISK.uid) == (VM,)
    assert index.discard(DISK.uid) == ()


def test_a_disk_that_moves_to_another_migration_changes_both_vms(index: PvcIndex) -> None:
    put(index, SECOND)
    put(index, DISK)
    moved = msgspec.structs.replace(DISK, migration="retry")
    retry = VM._replace(migration="retry")
    assert index.put(moved) == (VM, retry)
    assert index.list_disks(VM) == [VmDisk(SECOND, bound=False)]
    assert index.list_disks(retry) == [VmDisk(moved, bound=False)]


def test_a_vm_without_disks_is_forgotten(index: PvcIndex) -> None:
    put(index, DISK, SECOND)
    index.discard(DISK.uid)
    assert index.list_vms() == [VM]
    index.discard(SECOND.uid)
    assert index.list_vms() == []
    assert index.list_disks(VM) == []


def test_a_disk_without_a_vm_changes_none(index: PvcIndex) -> None:
    assert index.put(read(pvcs.pvc(vm=""))) == ()


# The two watches


def replace_all(index: PvcIndex, pvcs: Iterable[Pvc], *, labelled: bool = True) -> list[VmRef]:
    changed: list[VmRef] = []
    index.replace_all(pvcs, changed.extend, labelled=labelled)
    return changed


def test_each_list_replaces_only_the_pvcs_that_it_had(index: PvcIndex) -> None:
    assert replace_all(index, [DISK, SECOND]) == [VM, VM]
    assert replace_all(index, [PRIME, SECOND_PRIME], labelled=False) == [VM, VM]
    assert replace_all(index, [DISK]) == [VM]
    assert index.find_disk(ref_to(SECOND)) is None
    assert len(index) == 3
    assert replace_all(index, [BOUND_PRIME], labelled=False) == [VM]
    assert len(index) == 2
    assert find(index, PRIME).bound


def test_a_list_that_fails_removes_nothing_and_reports_what_it_has_changed(
    index: PvcIndex,
) -> None:
    def broken() -> Iterator[Pvc]:
        yield BOUND
        raise ValueError("page 2")

    changed: list[VmRef] = []
    replace_all(index, [DISK, SECOND])
    with pytest.raises(ValueError, match="page 2"):
        index.replace_all(broken(), changed.extend)
    assert len(index) == 2
    assert changed == [VM]


@pytest.mark.parametrize("delete_first", [True, False])
@pytest.mark.parametrize("labelled", [True, False])
def test_a_prime_pvc_that_moves_to_the_other_watch_is_kept(
    index: PvcIndex, labelled: bool, delete_first: bool
) -> None:
    put(index, DISK)
    index.put(BOUND_PRIME, labelled=not labelled)
    if delete_first:
        index.discard(PRIME.uid, labelled=not labelled)
    index.put(BOUND_PRIME, labelled=labelled)
    if not delete_first:
        index.discard(PRIME.uid, labelled=not labelled)
    assert find(index, PRIME).bound


@given(st.data())
def test_the_index_is_the_same_whatever_the_order_of_events(data: st.DataObject) -> None:
    found = [BOUND, SECOND, SECOND_PRIME, DELETED]
    steps = data.draw(st.lists(st.sampled_from(found), max_size=8))
    index = PvcIndex(AGES.__getitem__)
    for uid, pvc in itertools.chain(((p.uid, p) for p in steps), ((p.uid, None) for p in steps)):
        if pvc:
            index.put(pvc)
        else:
            index.discard(uid)
    assert len(index) == 0
    assert index.list_vms() == []
    put(index, *found[:3])
    assert [disk.pvc for disk in index.list_disks(VM)] == [BOUND, SECOND]


def test_a_plan_is_read_from_the_labels_of_the_disk(index: PvcIndex) -> None:
    put(index, DISK)
    assert find(index).pvc.ref == PlanRef("uid-db")
