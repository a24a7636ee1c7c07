"""The zone of a warm migration: with a rule for zone b, without it all pods are in zone a."""

from collections.abc import Iterator

import pytest

from tests.system.e2e.migration.cluster import WITHOUT, ZONES, Cluster
from tests.system.e2e.migration.printed import Versions

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


@pytest.fixture(autouse=True)
def zones(shared_cluster: Cluster) -> Iterator[None]:
    with shared_cluster.nodes(ZONES):
        yield


@pytest.mark.parametrize("versions", ALL_VERSIONS)
def test_without_the_webhook_volumes_are_in_zone_a_and_the_convertor_is_pending(
    cluster: Cluster, versions: Versions
) -> None:
    plan = cluster.plan(WITHOUT, convertorNodeSelector={"topology.kubernetes.io/zone": "b"})
    warm = cluster.migrate(plan, versions, disks=2)
    assert {cluster.zone(each.node) for each in warm.imported()} == {"a"}
    assert warm.zones() == [{"a"}]
    (convertor,) = warm.cut_over()
    assert "didn't match PersistentVolume's node affinity" in convertor.why_pending, convertor
