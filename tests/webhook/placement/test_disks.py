"""`disks: together`: an importer follows a bound disk of its VM, waits for one, or is the first."""

import msgspec
import pytest

from tests.support.builders import ZONE, parsed_plan
from tests.support.migration_pods import disk_of
from tests.support.pvcs import zone_terms
from webhook.kube.objects import Json
from webhook.model import Disk, Disks, Problem, PvcRef, SiblingDisk
from webhook.placement.disks import ARRIVAL_SECONDS, MAX_WAIT_SECONDS, DiskRules, find_disk_rules

PLAN = parsed_plan(disks=Disks.TOGETHER)
DISK = disk_of(PvcRef("target", "disk-1", "u1"))._replace(age_seconds=ARRIVAL_SECONDS)
UNBOUND = SiblingDisk("disk-0", bound=False)


def bound(*zones: str, name: str = "disk-0") -> SiblingDisk:
    return SiblingDisk(name, bound=True, node_terms=zone_terms(*zones))


def rules_with(
    *siblings: SiblingDisk, age: float = ARRIVAL_SECONDS, first: bool = False
) -> DiskRules:
    disk = DISK._replace(siblings=list(siblings), age_seconds=age, is_first=first)
    return find_disk_rules(disk, PLAN)


def test_disks_are_placed_by_themselves_by_default() -> None:
    disk: Disk = DISK._replace(siblings=[bound("a")])

    assert find_disk_rules(disk, parsed_plan()) == DiskRules()


def test_a_pod_that_binds_all_disks_has_no_rules() -> None:
    assert find_disk_rules(None, PLAN) == DiskRules()


def test_an_importer_whose_pvc_is_being_deleted_does_not_wait() -> None:
    deleted = msgspec.structs.replace(DISK.pvc, deleting=True)
    disk: Disk = DISK._replace(pvc=deleted, siblings=[UNBOUND], is_first=False)

    assert find_disk_rules(disk, PLAN) == DiskRules()


def test_an_importer_requires_the_place_of_a_bound_disk() -> None:
    assert rules_with(bound("a"), UNBOUND, age=0) == DiskRules(zone_terms("a"))


def test_an_importer_requires_the_place_where_all_bound_disks_are() -> None:
    both = rules_with(bound("a", "b"), bound("b", "c", name="disk-2"))

    assert both == DiskRules(
        [
            {
                "matchExpressions": [
                    *expressions(zone_terms("a", "b")),
                    *expressions(zone_terms("b", "c")),
                ]
            }
        ]
    )


def expressions(terms: list[Json]) -> list[Json]:
    found: list[Json] = terms[0]["matchExpressions"]
    return found


def test_a_volume_that_is_reachable_from_every_node_requires_nothing() -> None:
    assert rules_with(SiblingDisk("disk-0", bound=True, node_terms=[])) == DiskRules()


def test_an_importer_waits_until_all_disks_are_known() -> None:
    assert rules_with(age=4.9, first=True).refusal == (
        "the importer of disk 'disk-1' waits until all disks of its VM are known, 5 s after its "
        "creation"
    )
    assert rules_with(first=True) == DiskRules()


def test_an_importer_waits_for_an_older_disk() -> None:
    assert rules_with(UNBOUND).refusal == (
        "the importer of disk 'disk-1' waits until an older disk of the same VM is bound"
    )


def test_an_importer_that_follows_a_disk_of_another_class_waits_for_older_ones() -> None:
    anywhere = SiblingDisk("disk-0", bound=True, node_terms=[], storage_class="nfs")
    in_zone = bound("a")._replace(storage_class="zonal")

    for other in (anywhere, in_zone):
        assert rules_with(other, UNBOUND).refusal == (
            "the importer of disk 'disk-1' waits until an older disk of the same VM is bound"
        )
        assert rules_with(other, UNBOUND, age=4.9, first=True).refusal
        assert rules_with(other, UNBOUND, first=True) == DiskRules(other.node_terms or [])
    assert rules_with(in_zone, bound("a"), UNBOUND).refusal == ""


def test_an_importer_waits_until_the_volume_of_a_bound_disk_is_read() -> None:
    unread = SiblingDisk("disk-0", bound=True)

    assert rules_with(unread, bound("a", name="disk-2"), first=True).refusal == (
        "the importer of disk 'disk-1' waits until the PersistentVolume of disk 'disk-0' of the "
        "same VM is read"
    )


def test_an_importer_waits_for_ten_minutes_and_is_then_placed_by_itself() -> None:
    late = rules_with(UNBOUND, age=MAX_WAIT_SECONDS)

    assert rules_with(UNBOUND, age=MAX_WAIT_SECONDS - 1).refusal
    assert late == DiskRules(
        problems=[
            Problem(
                "Plan konveyor-forklift/db",
                "expected the disks of a VM together, but after 10 minutes the importer of disk "
                "'disk-1' waits until an older disk of the same VM is bound: it is placed by "
                "itself now; find out why the other disk is not bound",
            )
        ]
    )


@pytest.mark.parametrize(
    "siblings",
    [
        [bound("a"), bound("b", name="disk-2")],
        [bound("a"), bound("b", name="disk-2"), bound("a", name="disk-3")],
    ],
)
def test_disks_in_places_that_exclude_each_other_are_a_problem(siblings: list[SiblingDisk]) -> None:
    rules = rules_with(*siblings)

    assert rules.excluded
    assert rules.node_terms == []
    assert "in places that exclude each other: no node can reach all of them" in str(
        rules.problems[0]
    )


def test_places_with_too_many_alternatives_are_a_problem() -> None:
    many = [term for zone in range(9) for term in zone_terms(f"z{zone}")]
    other = [
        {"matchExpressions": [{"key": ZONE + "x", "operator": "In", "values": [f"{number}"]}]}
        for number in range(9)
    ]
    siblings = (
        SiblingDisk(name, bound=True, node_terms=terms)
        for name, terms in (("a", many), ("b", other))
    )

    rules = rules_with(*siblings)

    assert rules.excluded
    assert "more than 64 required node terms" in str(rules.problems[0])
