"""Changes during a migration: of the rule between two precopies, and a PVC that is deleted."""

import time
from collections.abc import Iterator

import pytest

from tests.system.controlplane.api import Json
from tests.system.controlplane.process import until
from tests.system.controlplane.replicas import Replicas
from tests.system.e2e.migration import printed
from tests.system.e2e.migration.cluster import WITH, ZONES, Cluster
from tests.system.e2e.migration.printed import Versions
from tests.system.e2e.pod_results import send

VERSIONS = Versions("1.66", "2.12")
IN_ZONE = "topology.kubernetes.io/zone={}"


@pytest.fixture(scope="module", autouse=True)
def zones(shared_cluster: Cluster) -> Iterator[None]:
    with shared_cluster.nodes(ZONES):
        yield


@pytest.mark.parametrize("pods", ["convertor,first-consumer", "all"])
@pytest.mark.parametrize("cdi", ["1.62", "1.66"])
def test_a_rule_that_no_longer_fits_leaves_no_importer_pending(
    cluster: Cluster, replicas: Replicas, pods: str, cdi: str
) -> None:
    plan = cluster.plan(WITH, {"node-selector": IN_ZONE.format("a"), "pods": pods})
    warm = cluster.migrate(plan, Versions(cdi, "2.12"), disks=2)
    warm.imported()
    zone_b = {
        "node-selector": IN_ZONE.format("b"),
        "affinity": "REQUIRE pods(app=ceph-osd) on zone",
    }
    cluster.change(plan, {**zone_b})
    _await_zone(replicas, plan, "b")
    warm.precopy()
    importers = warm.imported(2)
    assert {cluster.zone(each.node) for each in importers} == {"a"}
    is_placed = {"affinity" in each.pod["spec"] for each in importers}
    assert is_placed == {pods == "all"}, "the importers prefer zone b, if they are selected"


@pytest.mark.parametrize("disks", ["any", "together"])
@pytest.mark.parametrize("cdi", ["1.62", "1.66"])
def test_an_importer_whose_pvc_is_being_deleted_is_admitted_at_once(
    cluster: Cluster, replicas: Replicas, disks: str, cdi: str
) -> None:
    versions = Versions(cdi, "2.12")
    plan = cluster.plan(WITH, {"node-selector": IN_ZONE.format("b"), "disks": disks})
    name = plan["metadata"]["name"]
    pvcs = [
        printed.Disk(plan, "m", "vm-1", f"{name}-disk-{number}", "zonal") for number in range(2)
    ]
    _, last = (cluster.api.create(_protected(printed.pvc(versions, disk))) for disk in pvcs)
    cluster.api.delete("PersistentVolumeClaim", last["metadata"]["name"], WITH)
    found = cluster.api.get("PersistentVolumeClaim", last["metadata"]["name"], WITH)
    assert "deletionTimestamp" in found["metadata"]
    pod = printed.importer(versions, pvcs[1], found, "snapshot-1")
    until(
        "the replicas to know that the PVC is being deleted",
        lambda: all(replica.review(pod)["allowed"] for replica in replicas.running),
        seconds=5,
    )
    start = time.monotonic()
    result = send(cluster.api, pod)
    assert time.monotonic() - start < 1
    assert not result.rejection, result


def test_a_placed_importer_is_collected_with_its_pvc(cluster: Cluster, replicas: Replicas) -> None:
    plan = cluster.plan(WITH, {"labels": "wave=3", "node-selector": IN_ZONE.format("b")})
    warm = cluster.migrate(plan, Versions("1.62", "2.12"))
    (importer,) = warm.imported()
    assert importer.labels["wave"] == "3"
    cluster.api.delete("PersistentVolumeClaim", warm.disks[0].name, WITH)
    until("the importer to be collected", lambda: not cluster.api.list("Pod", WITH))


def _protected(pvc: Json) -> Json:
    """Return a PVC with the finalizer that is removed when no pod uses it."""
    metadata = pvc["metadata"] | {"finalizers": ["kubernetes.io/pvc-protection"]}
    return pvc | {"metadata": metadata}


def _await_zone(replicas: Replicas, plan: Json, zone: str) -> None:
    """Wait until the replicas know the node selector of a plan."""
    pod = printed.convertor(VERSIONS, plan, "vm-1", [])

    def known() -> bool:
        specs = [replica.reviewed(pod)["spec"] for replica in replicas.running]
        return all(
            each["nodeSelector"].get("topology.kubernetes.io/zone") == zone for each in specs
        )

    until(f"the replicas to know the rule for zone {zone}", known)
