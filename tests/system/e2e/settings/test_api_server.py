"""Facts about the API server and the scheduler that the settings depend on."""

import pytest

from tests.system.controlplane.api import Json
from tests.system.e2e.migration.cluster import WITHOUT, ZONES, Cluster
from tests.system.e2e.pod_results import scheduled, send
from tests.system.e2e.row_cluster import pod

MAIN = {"name": "main", "image": "none"}
SPREAD: Json = {
    "maxSkew": 1,
    "topologyKey": "kubernetes.io/hostname",
    "whenUnsatisfiable": "DoNotSchedule",
    "labelSelector": {"matchLabels": {"app": "spread"}},
}


def test_a_priority_that_is_not_that_of_the_class_is_rejected(cluster: Cluster) -> None:
    result = send(cluster.api, pod(WITHOUT, {}, priorityClassName="migration", priority=0))

    assert "the integer value of priority (0) must not be provided in pod spec" in result.rejection


def test_a_class_that_does_not_exist_is_rejected(cluster: Cluster) -> None:
    result = send(cluster.api, pod(WITHOUT, {}, priorityClassName="missing"))

    assert "no PriorityClass with name missing was found" in result.rejection


def test_a_request_above_the_limit_is_rejected(cluster: Cluster) -> None:
    resources = {"requests": {"memory": "2Gi"}, "limits": {"memory": "1Gi"}}
    body = pod(WITHOUT, {})
    body["spec"]["containers"] = [MAIN | {"resources": resources}]

    assert "must be less than or equal to memory limit" in send(cluster.api, body).rejection


def test_two_constraints_of_one_topology_and_kind_are_rejected(cluster: Cluster) -> None:
    both = [SPREAD, SPREAD | {"maxSkew": 2}]
    result = send(cluster.api, pod(WITHOUT, {}, topologySpreadConstraints=both))

    assert "Duplicate value" in result.rejection


def test_a_second_mount_of_one_path_is_rejected(cluster: Cluster) -> None:
    mounts = [{"name": name, "mountPath": "/var/tmp/virt-v2v"} for name in "ab"]
    body = pod(WITHOUT, {}, volumes=[{"name": name, "emptyDir": {}} for name in "ab"])
    body["spec"]["containers"] = [MAIN | {"volumeMounts": mounts}]

    assert "must be unique" in send(cluster.api, body).rejection


@pytest.mark.parametrize("policy", ["Ignore", "Honor"])
def test_a_cordoned_node_blocks_a_hard_spread_unless_taints_are_honored(
    cluster: Cluster, policy: str
) -> None:
    with cluster.nodes(dict(list(ZONES.items())[:2]), used=()):
        cluster.api.patch("Node", "a2", {"spec": {"unschedulable": True}})
        cordon = [{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}]
        cluster.api.patch("Node", "a2", {"spec": {"taints": cordon}})
        constraint = SPREAD | {"nodeTaintsPolicy": policy}
        bodies = [
            pod(WITHOUT, {"app": "spread"}, topologySpreadConstraints=[constraint]) for _ in "12"
        ]
        results = [scheduled(cluster.api, send(cluster.api, body)) for body in bodies]

        assert [result.node for result in results] == ["a1", "a1" if policy == "Honor" else ""]
        cluster.api.delete_all("Pod", WITHOUT)
