"""The disks of running migrations in an explanation, and their conflicts."""

from tests.support import pvcs
from tests.support.affinity_terms import is_in
from tests.support.builders import ZONE, node, plan, pod
from webhook.inventory import VmDisk, VmRef
from webhook.kube.objects import Json
from webhook.model import Installation, PlanRef, Pvc
from webhook.placement.conflicts import ConflictKind
from webhook.reports.explain import ClusterObjects, Explanation, explain
from webhook.reports.explain.model import DiskRow

VM = VmRef("vms", pvcs.MIGRATION, "vm-1")
NODES = [node("a1", {ZONE: "a"}), node("b1", {ZONE: "b", "disk": "nvme"})]


def disk(name: str, node_terms: list[Json] | None = None, *, bound: bool = True) -> VmDisk:
    pvc = Pvc("vms", name, name, ref=PlanRef("uid-db"), migration=VM.migration, vm=VM.vm)
    return VmDisk(pvc, bound, node_terms)


def explained(a_plan: Json, *disks: VmDisk, all_pods: bool = True) -> Explanation:
    pods = [pod("x/osd", "b1", {"app": "ceph-osd"})]
    cluster = ClusterObjects(NODES, pods, [], [], all_pods, disks={VM: [*disks]})
    return explain(a_plan, Installation(), cluster)


IN_A = disk("db-0", [is_in(ZONE, "a")])


def test_each_disk_has_a_row_with_its_place_and_the_nodes_that_reach_it() -> None:
    others = disk("db-1", []), disk("db-2"), disk("db-3", bound=False)
    assert explained(plan(), IN_A, *others).disks == [
        DiskRow("vm-1", "db-0", bound=True, place=f"nodes({ZONE}=a)", nodes=["a1"]),
        DiskRow("vm-1", "db-1", bound=True, place="all nodes"),
        DiskRow("vm-1", "db-2", bound=True, place="not known"),
        DiskRow("vm-1", "db-3", bound=False),
    ]


def test_conflicts_are_those_of_the_running_migrations() -> None:
    rule = plan(node_selector="disk=nvme")
    (conflict,) = explained(rule, IN_A).conflicts
    assert (conflict.vm, conflict.kind) == ("vm-1", ConflictKind.CONVERTOR)
    assert "the only node that reaches it (a1) is excluded by node-selector" in conflict.message
    assert explained(plan(), IN_A).conflicts == []
    vms = [{"id": "vm-1", "completed": "2026-08-01T09:00:00Z"}]
    history = [{"migration": {"uid": VM.migration}}]
    ended = explained(rule | {"status": {"migration": {"vms": vms, "history": history}}}, IN_A)
    assert (ended.disks, ended.conflicts) == ([], [])


def test_a_status_that_is_not_one_of_forklift_counts_as_absent() -> None:
    rule = plan(node_selector="disk=nvme") | {"status": "running"}
    assert len(explained(rule, IN_A).conflicts) == 1


def test_rules_on_pods_count_if_all_pods_can_be_read() -> None:
    rule = plan(affinity="REQUIRE pods(app=ceph-osd) on node")
    assert len(explained(rule, IN_A).conflicts) == 1
    assert explained(rule, IN_A, all_pods=False).conflicts == []
