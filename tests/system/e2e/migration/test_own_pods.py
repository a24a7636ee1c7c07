"""Rules that select the plan's own pods: no deadlock, no split, and no eviction."""

from collections.abc import Iterator

import pytest

from tests.system.controlplane.api import Json
from tests.system.controlplane.process import until
from tests.system.controlplane.replicas import Replicas
from tests.system.e2e.migration import printed
from tests.system.e2e.migration.cluster import WITH, WITHOUT, ZONES, Cluster
from tests.system.e2e.migration.every_pod import pod_of
from tests.system.e2e.migration.printed import Versions
from tests.system.e2e.pod_results import scheduled, send
from webhook.karl import compile as compile_karl

VERSIONS = Versions("1.66", "2.12")

TAINT = {"key": "dedicated", "value": "migration", "effect": "NoExecute"}
TOLERATED = {"tolerations": "dedicated=migration:NoExecute"}


@pytest.fixture(scope="module", autouse=True)
def zones(shared_cluster: Cluster) -> Iterator[None]:
    with shared_cluster.nodes(ZONES):
        yield


OWN = [
    "REQUIRE pods(forklift.app=virt-v2v) on node",
    "REQUIRE pods(app=virt-v2v) on zone",
]


@pytest.mark.parametrize("rule", OWN)
@pytest.mark.parametrize("cdi", ["1.62", "1.66"])
def test_no_importer_waits_for_a_convertor(
    cluster: Cluster, replicas: Replicas, rule: str, cdi: str
) -> None:
    plan = cluster.plan(WITH, {"affinity": rule, "pods": "all"})
    warm = cluster.migrate(plan, Versions(cdi, "2.12"), vms=2)
    warm.imported()
    warm.precopy()
    warm.imported(2)
    convertors = warm.cut_over()
    assert all(each.node for each in convertors), "; ".join(map(str, convertors))


def test_an_importer_with_such_a_rule_would_wait_without_end(cluster: Cluster) -> None:
    pod = _importer(cluster, OWN[0])
    result = scheduled(cluster.api, send(cluster.api, pod))
    assert "didn't match pod affinity rules" in result.why_pending, result


SPLIT = "AVOID pods(team=db) in own namespace on zone"


def test_a_rule_against_the_plans_own_pods_does_not_separate_the_disks_of_a_vm(
    cluster: Cluster, replicas: Replicas
) -> None:
    settings = {"labels": "team=db", "affinity": SPLIT, "pods": "all"}
    warm = cluster.migrate(cluster.plan(WITH, settings), VERSIONS, disks=2)
    warm.imported()
    assert warm.zones() == [{"a"}]
    (convertor,) = warm.cut_over()
    assert convertor.node, convertor


def test_importers_with_such_a_rule_would_be_in_two_zones(cluster: Cluster) -> None:
    pods = [_importer(cluster, SPLIT, team="db") for _ in range(2)]
    results = [scheduled(cluster.api, send(cluster.api, pod)) for pod in pods]
    assert {cluster.zone(each.node) for each in results} == {"a", "b"}


@pytest.mark.parametrize(
    ("name", "pods"),
    [
        ("forklift-2.10-populator-ovirt-wffc", "convertor,first-consumer"),
        ("forklift-2.12-populator-ovirt-wffc", "convertor,first-consumer"),
        ("forklift-main-populator-vsphere-xcopy-wffc", "all"),
    ],
)
def test_a_populator_on_a_node_that_only_the_plan_tolerates_is_not_evicted(
    cluster: Cluster, replicas: Replicas, name: str, pods: str
) -> None:
    populators = {}
    for namespace in (WITH, WITHOUT):
        plan = cluster.plan(namespace, TOLERATED | {"pods": pods})
        pod, _ = pod_of(cluster, plan, name)
        pod["spec"]["nodeName"] = "b1"
        _await_known(cluster, pod, namespace)
        populators[namespace] = send(cluster.api, pod).pod["metadata"]["name"]

    def remain(namespace: str) -> list[Json]:
        found = cluster.api.list("Pod", namespace)
        return [each for each in found if each["metadata"]["name"] == populators[namespace]]

    cluster.api.patch("Node", "b1", {"spec": {"taints": [TAINT]}})
    try:
        until("the other populator to be evicted", lambda: not remain(WITHOUT))
        (populator,) = remain(WITH)
        assert populator["status"]["phase"] == "Running"
        assert "deletionTimestamp" not in populator["metadata"]
    finally:
        cluster.api.patch("Node", "b1", {"spec": {"taints": None}})


def test_a_migration_on_tainted_nodes_runs_from_first_consumer_to_convertor(
    cluster: Cluster, replicas: Replicas
) -> None:
    settings = TOLERATED | {"node-selector": "topology.kubernetes.io/zone=b"}
    for node in ("b1", "b2"):
        cluster.api.patch("Node", node, {"spec": {"taints": [TAINT]}})
    try:
        warm = cluster.migrate(cluster.plan(WITH, settings), Versions("1.62", "2.10"), disks=2)
        importers = warm.imported()
        warm.precopy()
        importers += warm.imported(2)
        assert {cluster.zone(each.node) for each in importers} == {"b"}
        (convertor,) = warm.cut_over()
        assert convertor.node in ("b1", "b2"), convertor
    finally:
        for node in ("b1", "b2"):
            cluster.api.patch("Node", node, {"spec": {"taints": None}})


def _importer(cluster: Cluster, rule: str, **labels: str) -> Json:
    """Return an importer that another client has given a rule, and create its PVC."""
    plan = cluster.plan(WITHOUT)
    disk = printed.Disk(plan, "m", "vm-1", f"{plan['metadata']['name']}-disk", "zonal")
    pvc = cluster.api.create(printed.pvc(VERSIONS, disk))
    pod = printed.importer(VERSIONS, disk, pvc, "snapshot-1")
    pod["spec"]["affinity"] = compile_karl(rule)
    pod["metadata"]["labels"] |= labels
    return pod


def _await_known(cluster: Cluster, pod: Json, namespace: str) -> None:
    """Wait until the replicas know the PVC of a pod."""
    if namespace == WITH:
        until(
            "the populator to be placed",
            lambda: all(
                any(
                    each["key"] == TAINT["key"]
                    for each in send(cluster.api, pod, dryRun="All").pod["spec"]["tolerations"]
                )
                for _ in range(4)
            ),
        )
