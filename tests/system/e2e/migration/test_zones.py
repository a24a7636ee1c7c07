"""The zone of a warm migration: with a rule for zone b, without it all pods are in zone a."""

from collections.abc import Iterator

import pytest

from tests.system.controlplane.process import until
from tests.system.controlplane.replicas import Replicas
from tests.system.e2e.migration.cluster import WITH, WITHOUT, ZONES, Cluster
from tests.system.e2e.migration.printed import Versions
from tests.system.e2e.migration.provisioner import IMMEDIATE

ALL_VERSIONS = [
    Versions("1.62", "2.10"),
    Versions("1.62", "2.12"),
    Versions("1.66", "2.10"),
    Versions("1.66", "2.12"),
    Versions("1.66", "main"),
]

IN_ZONE_B = {
    "nodes": {"affinity": "REQUIRE nodes(topology.kubernetes.io/zone=b)"},
    "pods": {"affinity": "REQUIRE pods(app=ceph-osd) on zone"},
    "node-selector": {"node-selector": "topology.kubernetes.io/zone=b"},
}
"""Settings that have the same effect."""


@pytest.fixture(scope="module", autouse=True)
def zones(shared_cluster: Cluster) -> Iterator[None]:
    with shared_cluster.nodes(ZONES):
        yield


CASES = [
    *((versions, "nodes", "convertor,first-consumer") for versions in ALL_VERSIONS),
    (Versions("1.62", "2.12"), "pods", "all"),
    (Versions("1.66", "2.12"), "node-selector", "all"),
]


@pytest.mark.parametrize(("versions", "settings", "pods"), CASES)
def test_importers_and_the_convertor_run_together_where_the_rule_says(
    cluster: Cluster, replicas: Replicas, versions: Versions, settings: str, pods: str
) -> None:
    plan = cluster.plan(WITH, IN_ZONE_B[settings] | {"pods": pods})
    warm = cluster.migrate(plan, versions, disks=2)
    first = warm.imported()
    warm.precopy()
    pods_in_order = [*first, *warm.imported(2), *warm.cut_over()]
    assert {each.node and cluster.zone(each.node) for each in pods_in_order} == {"b"}
    assert warm.zones() == [{"b"}]
    assert not any(each.refusals for each in warm.disks)


@pytest.mark.parametrize("versions", [Versions("1.62", "2.10"), Versions("1.66", "2.12")])
def test_without_the_webhook_volumes_are_in_zone_a_and_the_convertor_is_pending(
    cluster: Cluster, versions: Versions
) -> None:
    plan = cluster.plan(WITHOUT, convertorNodeSelector={"topology.kubernetes.io/zone": "b"})
    warm = cluster.migrate(plan, versions, disks=2)
    assert {cluster.zone(each.node) for each in warm.imported()} == {"a"}
    assert warm.zones() == [{"a"}]
    (convertor,) = warm.cut_over()
    assert "didn't match PersistentVolume's node affinity" in convertor.why_pending, convertor


def test_an_importer_is_scheduled_again_when_the_provisioner_has_no_room_on_its_node(
    cluster: Cluster, replicas: Replicas
) -> None:
    cluster.provisioner.without_room |= {"b1", "b2"}
    warm = cluster.migrate(cluster.plan(WITH, IN_ZONE_B["nodes"]), Versions("1.66", "2.12"))
    until("the selected node to be withdrawn", lambda: cluster.provisioner.withdrawn)
    cluster.provisioner.without_room.clear()
    (importer,) = warm.imported()
    assert cluster.zone(importer.node) == "b"


@pytest.mark.parametrize("cdi", ["1.62", "1.66"])
def test_importers_of_a_class_that_binds_at_once_run_in_the_zone_of_their_volume(
    cluster: Cluster, replicas: Replicas, cdi: str
) -> None:
    plan = cluster.plan(WITH, IN_ZONE_B["nodes"] | {"pods": "all"})
    warm = cluster.migrate(plan, Versions(cdi, "2.12"), vms=2, storage_class=IMMEDIATE)
    importers = warm.imported()
    zones = [zone for (zone,) in warm.zones()]
    assert sorted(zones) == ["a", "b"]
    assert [cluster.zone(each.node) for each in importers] == zones
