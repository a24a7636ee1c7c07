"""The disks of a VM in one zone: twenty VMs with two disks each, at once."""

from tests.system.controlplane.replicas import Replicas
from tests.system.e2e.migration.cluster import WITH, WITHOUT, Cluster
from tests.system.e2e.migration.printed import Versions
from tests.system.guide.rows import Node

VMS = 20

MAX_SECONDS = 60
"""The longest time that an importer may be refused; the limit of the webhook is 10 minutes."""

REFUSAL = "keeps the disks of a VM together"

EQUAL = {f"{zone}{number}": Node(zone=zone, cpu=64) for zone in "ab" for number in (1, 2)}
ONE_AT_A_TIME = {f"{zone}-import": Node(zone=zone, cpu=64) for zone in "ab"}
CONVERT = {f"{zone}-convert": Node(zone=zone, cpu=64) for zone in "ab"}


def test_disks_that_are_placed_one_by_one_are_in_two_zones(cluster: Cluster) -> None:
    with cluster.nodes(ONE_AT_A_TIME, used=(), pods=1):  # so that two importers are in two zones
        plan = cluster.plan(WITHOUT)
        warm = cluster.migrate(plan, Versions("1.66", "2.12"), vms=8, disks=2)
        warm.imported(seconds=180)
        apart = [len(zones) > 1 for zones in warm.zones()]
        assert any(apart)
        with cluster.nodes(CONVERT, used=()):
            convertors = warm.cut_over()
            assert [not each.node for each in convertors] == apart


def test_disks_are_in_one_zone_and_all_convertors_run(cluster: Cluster, replicas: Replicas) -> None:
    with cluster.nodes(EQUAL, used=()):
        _check_together(cluster, replicas, Versions("1.66", "2.12"), Versions("1.62", "2.10"))


def test_with_room_for_one_importer_in_each_zone_disks_are_in_one_zone(
    cluster: Cluster, replicas: Replicas
) -> None:
    with cluster.nodes(ONE_AT_A_TIME, used=(), pods=1):
        _check_together(cluster, replicas, Versions("1.62", "2.12"))


def _check_together(cluster: Cluster, replicas: Replicas, *versions: Versions) -> None:
    """Migrate the VMs of one plan for each of the versions."""
    before = _refused(replicas)
    migrations = [
        cluster.migrate(cluster.plan(WITH, {"disks": "together"}), each, vms=VMS, disks=2)
        for each in versions
    ]
    for warm in migrations:
        warm.imported(seconds=180)
        zones = warm.zones()
        assert [len(each) for each in zones] == [1] * VMS, zones
        assert set.union(*zones) == {"a", "b"}
        assert max(each.seconds for each in warm.disks) < MAX_SECONDS
        assert all(REFUSAL in text for each in warm.disks for text in each.refusals)
    assert all(now > then for now, then in zip(_refused(replicas), before, strict=True))
    with cluster.nodes(CONVERT, used=()):
        convertors = [each for warm in migrations for each in warm.cut_over()]
        assert all(each.node for each in convertors), "; ".join(map(str, convertors))


def _refused(replicas: Replicas) -> list[float]:
    """Return the number of refused importers by replica."""
    return [
        replica.metric("convertor_webhook_reviews_total", outcome="refused")
        for replica in replicas.running
    ]
