"""A migration by Forklift's populators, on nodes that only the plan tolerates.

The first consumer selects the node, the populators get it preset, and the convertor pod runs where
the volumes are.
"""

from collections.abc import Iterator

import pytest

from tests.system.controlplane.api import Json
from tests.system.controlplane.process import until
from tests.system.controlplane.replicas import Replicas
from tests.system.e2e.migration import printed
from tests.system.e2e.migration.cdi import rebind
from tests.system.e2e.migration.cluster import WITH, WITHOUT, ZONES, Cluster
from tests.system.e2e.migration.every_pod import POPULATED_UID
from tests.system.e2e.migration.printed import Disk, Versions
from tests.system.e2e.migration.provisioner import SELECTED_NODE, WAITS
from tests.system.e2e.pod_results import PodResult, scheduled, send
from tests.system.guide.rows import Node

TAINT = "dedicated=migration:NoExecute"
SETTINGS = {"node-selector": "topology.kubernetes.io/zone=b", "tolerations": TAINT}
TAINTED = {
    name: Node(zone=each.zone, cpu=each.cpu, taints=[TAINT] if each.zone == "b" else [])
    for name, each in ZONES.items()
}
VM = "vm-1630"


@pytest.fixture(scope="module", autouse=True)
def zones(shared_cluster: Cluster) -> Iterator[None]:
    with shared_cluster.nodes(TAINTED):
        yield


@pytest.mark.parametrize(("forklift", "provider"), [("2.10", "ovirt"), ("2.12", "openstack")])
def test_first_consumer_populators_and_convertor_run_where_the_plan_says(
    cluster: Cluster, replicas: Replicas, forklift: str, provider: str
) -> None:
    plan = cluster.plan(WITH, SETTINGS)
    targets, consumer = _start(cluster, plan, forklift, provider)
    primes = []
    for target in targets:
        node = _selected_node(cluster, target)
        assert cluster.zone(node) == "b"
        prime, populator = _populate(cluster, plan, target, f"forklift-{forklift}", provider)
        primes.append(prime)
        _await_running(cluster, populator)
    for prime, target in zip(primes, targets, strict=True):
        rebind(cluster.api, prime["metadata"], target["metadata"])
    cluster.api.delete_all("Pod", WITH, labelSelector="pvcName")
    result = scheduled(cluster.api, consumer)
    assert cluster.zone(result.node) == "b", result
    names = [target["metadata"]["name"] for target in targets]
    pod = printed.convertor(Versions("1.66", forklift), plan, VM, names)
    convertor = scheduled(cluster.api, send(cluster.api, pod))
    assert cluster.zone(convertor.node) == "b", convertor


def test_without_the_webhook_the_first_consumer_selects_another_zone(cluster: Cluster) -> None:
    plan = cluster.plan(WITHOUT, convertorNodeSelector={"topology.kubernetes.io/zone": "b"})
    targets, _ = _start(cluster, plan, "2.12", "openstack")
    assert {cluster.zone(_selected_node(cluster, each)) for each in targets} == {"a"}


def _start(
    cluster: Cluster, plan: Json, forklift: str, provider: str
) -> tuple[list[Json], PodResult]:
    """Create the PVCs of two disks, which a populator fills, and their first consumer."""
    targets = []
    for number in range(2):
        name = f"{plan['metadata']['name']}-{VM}-disk-{number}"
        disk = Disk(plan, "7f0bbdc5-3a48-4a3a-8a3c-0e5c8e8f8f11", VM, name, WAITS)
        body = printed.pvc(Versions("1.66", forklift), disk)
        body["spec"]["dataSourceRef"] = {
            "apiGroup": "forklift.konveyor.io",
            "kind": "VolumePopulator",
            "name": name,
        }
        targets.append(cluster.api.create(body))
    pod = printed.read(f"migration-pods/forklift-{forklift}-pvcinit-{provider}-no-settings", plan)
    return targets, send(cluster.api, pod)


def _selected_node(cluster: Cluster, target: Json) -> str:
    name, namespace = target["metadata"]["name"], target["metadata"]["namespace"]

    def selected() -> str | None:
        found = cluster.api.get("PersistentVolumeClaim", name, namespace)
        node: str | None = found["metadata"]["annotations"].get(SELECTED_NODE)
        return node

    return until(f"a node to be selected for PVC {name}", selected)


def _populate(
    cluster: Cluster, plan: Json, target: Json, forklift: str, provider: str
) -> tuple[Json, Json]:
    """Create the second PVC of a disk and its populator, on the selected node."""
    node = _selected_node(cluster, target)
    metadata = target["metadata"]
    texts = {
        POPULATED_UID: metadata["uid"],
        f"high-io-migration-{VM}-disk-0": metadata["name"],
        "worker-3": node,
        "local-nvme": WAITS,
    }
    prime = printed.read(f"migration-pvcs/{forklift}-prime-ovirt-wffc", plan, texts)
    prime["spec"]["resources"] = target["spec"]["resources"]
    prime = cluster.api.create(prime)
    pod = printed.read(f"migration-pods/{forklift}-populator-{provider}-wffc", plan, texts)
    return prime, send(cluster.api, pod).pod


def _await_running(cluster: Cluster, pod: Json) -> None:
    """Wait until a pod runs, and its node has not evicted it."""
    name = pod["metadata"]["name"]
    assert any(each["key"] == "dedicated" for each in pod["spec"]["tolerations"])

    def runs() -> bool:
        found = cluster.api.get("Pod", name, WITH)
        assert "deletionTimestamp" not in found["metadata"]
        return bool(found["status"].get("phase") == "Running")

    until(f"populator {name} to run", runs)
