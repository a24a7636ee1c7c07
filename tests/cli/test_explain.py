"""`kubectl convertor explain plan`: the whole output, for people and for programs."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.fake import FakeCluster, Run
from tests.explain.clusters import ZONE, convertor_pod, namespace, node, plan, pod

EXPECTED = Path(__file__).parent / "expected"
Golden = Callable[[Path, str], None]

NODES = [
    node("alpha", {ZONE: "a", "disk": "nvme", "memory": "128Gi"}),
    node("beta", {ZONE: "a", "disk": "nvme", "memory": "64Gi"}, taints=("gpu:NoSchedule",)),
    node("delta", {ZONE: "b", "disk": "nvme", "memory": "256Gi"}, room={"cpu": "1"}),
    node("epsilon", {ZONE: "b", "disk": "hdd", "memory": "32Gi"}, cordoned=True),
    node("gamma", {ZONE: "c", "disk": "nvme", "memory": "64Gi"}),
    node("theta", {ZONE: "a", "disk": "nvme", "memory": "64Gi"}, taints=("spot:PreferNoSchedule",)),
]
PODS = [
    *(
        pod(f"rook-ceph/osd-{i}", f"{name}", {"app": "ceph-osd"})
        for i, name in enumerate(["alpha", "beta", "delta", "theta"])
    ),
    pod("shop/web-1", "alpha", {"app": "web", "tier": "production"}),
    pod("shop/load", "delta", cpu="500m"),
    pod("shop/job", "delta", cpu="500m", status={"phase": "Succeeded"}),
]
NAMESPACES = [namespace("vms"), namespace("rook-ceph", team="storage"), namespace("shop")]

FITS = plan(
    {"convertorLabels": {"workload": "batch"}, "convertorNodeSelector": {"disk": "nvme"}},
    labels="workload=migration",
    node_selector="memory=64Gi+",
    tolerations="dedicated=migration:NoSchedule",
    affinity=(
        "REQUIRE pods(app=ceph-osd) in namespaces (team=storage) on zone\n"
        "REPEL pods(tier=production) on node weight=30; PREFER pods(app=proxy) on zone"
    ),
)
NOWHERE = plan(
    {
        "convertorAffinity": {
            "podAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": [
                    {
                        "labelSelector": {"matchLabels": {"app": "ceph-osd"}},
                        "topologyKey": "kubernetes.io/hostname",
                    }
                ]
            }
        }
    },
    scope="own",
    node_selector="disk=nmve",
    tolerations="gpu:Sometimes",
    affinity="AVOID nodes(spot=true)\nREQIRE pods(a=b) on node",
    label="a=b",
)
WAITING = convertor_pod(
    "db-vm-1-x7k2p",
    message="0/6 nodes are available: 6 node(s) didn't match Pod's node affinity/selector.",
    nodeSelector={"disk": "nmve"},
    affinity=NOWHERE["spec"]["convertorAffinity"],
    volumes=[{"name": "disk", "persistentVolumeClaim": {"claimName": "db-vm-1-disk"}}],
)


@pytest.fixture
def cluster(cluster: FakeCluster) -> FakeCluster:
    cluster.add(*NODES, *PODS, *NAMESPACES)
    return cluster


@pytest.mark.parametrize("output", ["text", "yaml", "json"])
def test_a_plan_is_explained_whole(
    run: Run, cluster: FakeCluster, golden: Golden, output: str
) -> None:
    cluster.add(FITS, convertor_pod("db-vm-9-qqqqq", "alpha"))
    result = run("explain", "plan", "db", "-o", output)
    assert (result.exit_code, result.stderr) == (0, "")
    golden(EXPECTED / f"explain-fits.{output}", result.stdout)


@pytest.mark.parametrize("output", ["text", "json"])
def test_for_a_pod_that_fits_nowhere_it_is_said_what_to_change(
    run: Run, cluster: FakeCluster, golden: Golden, output: str
) -> None:
    cluster.add(NOWHERE, WAITING, convertor_pod("db-vm-9-qqqqq", "alpha"))
    result = run("explain", "plan", "db", "-o", output)
    assert (result.exit_code, result.stderr) == (0, "")
    golden(EXPECTED / f"explain-nowhere.{output}", result.stdout)
