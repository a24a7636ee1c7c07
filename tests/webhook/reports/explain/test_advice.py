"""The advice is as concrete as the snapshot permits."""

from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
import yaml

from tests.support.builders import ZONE, convertor_pod, namespace, node, plan, pod
from tests.support.golden import Golden
from webhook import karl
from webhook.kube.affinity import PREFERRED, REQUIRED
from webhook.kube.commands import KubectlFlags
from webhook.kube.objects import Json
from webhook.kube.scheduler.inter_pod_affinity import pod_affinity
from webhook.kube.scheduler.plugin import Filter
from webhook.kube.scheduler.snapshot import Snapshot
from webhook.model import Installation, Limits, Mode, Settings
from webhook.reports.duplicates import REMEDY
from webhook.reports.explain import ClusterObjects, explain
from webhook.reports.explain.model import Advice

EXPECTED = Path(__file__).parent / "expected"
NAMESPACES = [namespace("vms"), namespace("rook", team="storage"), namespace("shop")]
OSD = {"labelSelector": {"matchLabels": {"app": "osd"}}, "topologyKey": "kubernetes.io/hostname"}
ALL_PODS = {"labelSelector": {}, "namespaceSelector": {}, "topologyKey": "kubernetes.io/hostname"}
NAMED = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["gone"]}]}


EVERY_ZONE = {
    "topologyKey": "zone",
    "maxSkew": 1,
    "minDomains": 2,
    "whenUnsatisfiable": "DoNotSchedule",
}


def convertors(*nodes: str) -> list[Json]:
    """Return a pod of another plan on each of the nodes."""
    return [convertor_pod(f"p{i}-{name}", name, plan="other") for i, name in enumerate(nodes)]


class Case(NamedTuple):
    plan: Json
    nodes: list[Json]
    pods: list[Json]


def advised(case: Case, installation: Installation | None = None) -> list[Advice]:
    cluster = ClusterObjects(case.nodes, case.pods, NAMESPACES, [])
    return explain(case.plan, installation or Installation(), cluster).advice


def with_object(**affinity: Json) -> Json:
    return plan(spec={"convertorAffinity": affinity})


CASES: dict[str, Case] = {
    "a node fits": Case(plan(), [node("a"), node("b", cordoned=True)], []),
    "there are no nodes": Case(plan(), [], []),
    "a taint": Case(
        plan(), [node("a", taints=("dedicated=migration:NoSchedule", "x:PreferNoSchedule"))], []
    ),
    "a taint of Kubernetes": Case(
        plan(), [node("a", taints=("node.kubernetes.io/memory-pressure:NoSchedule",))], []
    ),
    "cordoned, with the taint": Case(
        plan(),
        [node("a", cordoned=True, taints=("node.kubernetes.io/unschedulable:NoSchedule",))],
        [],
    ),
    "a label with other values": Case(
        plan(node_selector="disk=nvme"),
        [node("a", {"disk": "ssd"}), node("b", {"disk": "ssd"}), node("c", {"disk": "hdd"})],
        [],
    ),
    "a label with very many values": Case(
        plan(node_selector="rack=z"), [node(f"n{i}", {"rack": f"r{i}"}) for i in range(5)], []
    ),
    "a label of the pod with another value": Case(
        plan(), [node("a", {"zone": "b"})], [convertor_pod("w", nodeSelector={"zone": "a"})]
    ),
    "a label that no node has": Case(
        plan(node_selector="storage-teir=fast"), [node("a", {"storage-tier": "fast"})], []
    ),
    "no node runs VMs": Case(plan(), [node("a", {"kubevirt.io/schedulable": "false"})], []),
    "a node rule that no node matches": Case(
        plan(affinity="REQUIRE nodes(cores>=32)"), [node("a", {"cores": "16"})], []
    ),
    "a minimum that no node has": Case(
        plan(node_selector="cores=32+", affinity="REQUIRE nodes(has disk)"),
        [node("a", {"cores": "16"}), node("b", {"cores": "many"})],
        [],
    ),
    "a minimum of a label that no node has": Case(
        plan(node_selector="cores=32+,memory=64Gi+"), [node("a", {"memory": "128Gi"})], []
    ),
    "a minimum that no node has as a quantity": Case(
        plan(node_selector="memory=64Gi+"), [node("a", {"memory": "plenty"})], []
    ),
    "a minimum that a node has, and a rule": Case(
        plan(node_selector="cores=32+", affinity="REQUIRE nodes(has disk)"),
        [node("a", {"cores": "32"})],
        [],
    ),
    "a node rule that one node matches": Case(
        plan(affinity="REQUIRE nodes(disk=ssd)"),
        [node("a"), node("b", {"disk": "ssd"}, cordoned=True, taints=("gpu:NoSchedule",))],
        [],
    ),
    "a node rule that no node matches at once": Case(
        plan(affinity="REQUIRE nodes(a=1, b=1)"), [node("a", {"a": "1"}), node("b", {"b": "1"})], []
    ),
    "no pod with such labels": Case(
        plan(affinity="REQUIRE pods(app=ceph-osd) on node"),
        [node("a")],
        [pod("rook/x", "a", {"app": "rook-ceph-osd"})],
    ),
    "the pod is not scheduled": Case(
        plan(affinity="REQUIRE pods(app=osd) on node"),
        [node("a")],
        [pod("rook/x", "", {"app": "osd"}, status={"phase": "Pending"})],
    ),
    "pods in other namespaces only, by the plan's scope": Case(
        plan(affinity="REQUIRE pods(app=osd) on node", scope="own"),
        [node("a")],
        [pod("rook/x", "a", {"app": "osd"}), pod("shop/x", "a", {"app": "osd"})],
    ),
    "pods in other namespaces only, by the rule": Case(
        plan(affinity="REQUIRE pods(app=osd) in own namespace on node"),
        [node("a")],
        [pod("rook/x", "a", {"app": "osd"})],
    ),
    "pods in namespaces with other labels": Case(
        plan(affinity="REQUIRE pods(app=osd) in namespaces (team=ops) on node"),
        [node("a")],
        [pod("rook/x", "a", {"app": "osd"})],
    ),
    "pods in namespaces of other names": Case(
        plan(affinity="REQUIRE pods(app=osd) in namespaces [shop, ops] on node"),
        [node("a")],
        [pod("rook/x", "a", {"app": "osd"})],
    ),
    "nodes without the topology": Case(
        plan(affinity="REQUIRE pods(app=osd) on zone"),
        [node("a", {"zone": "a"})],
        [pod("rook/x", "a", {"app": "osd"})],
    ),
    "the nodes of matching pods have other obstacles": Case(
        plan(affinity="REQUIRE pods(app=osd) on node"),
        [node("a", cordoned=True, taints=("gpu:NoSchedule",)), node("b")],
        [pod("rook/x", "a", {"app": "osd"})],
    ),
    "the anti-affinity of a rule": Case(
        plan(affinity="AVOID pods(tier=production) on zone"),
        [node("a", {ZONE: "a"}), node("b", {ZONE: "a"})],
        [pod("shop/web", "b", {"tier": "production"})],
    ),
    "a hard SPREAD": Case(
        plan(affinity="SPREAD pods(app=virt-v2v) on node hard"),
        [node("a"), node("b", cordoned=True)],
        [*convertors("a", "a"), *convertors("b")],
    ),
    "a hard SPREAD with a skew": Case(
        plan(affinity="SPREAD pods(app=virt-v2v) on zone skew=2 hard"),
        [node("a", {ZONE: "x"}), node("b", {ZONE: "y"}, cordoned=True)],
        convertors("a", "a"),
    ),
    "a hard SPREAD over a label that no node has": Case(
        plan(affinity="SPREAD pods(app=virt-v2v) on rack hard"), [node("a")], []
    ),
    "a constraint that KARL cannot express": Case(
        plan(), [node("a")], [convertor_pod("w", topologySpreadConstraints=[EVERY_ZONE])]
    ),
    "a taint beyond the limits": Case(
        plan(), [node("a", taints=("node-role.kubernetes.io/control-plane:NoSchedule",))], []
    ),
    "a request of the plan": Case(
        plan(resources="requests.memory=8Gi"), [node("a", allocatable={"memory": "4Gi"})], []
    ),
    "the anti-affinity of another pod": Case(
        plan(),
        [node("a")],
        [pod(*("shop/web", "a"), affinity={"podAntiAffinity": {REQUIRED: [ALL_PODS]}})],
    ),
    "insufficient resources": Case(
        plan(),
        [node("a", allocatable={"cpu": "500m", "memory": "1Mi", "devices.kubevirt.io/kvm": "0"})],
        [],
    ),
    "devices in use, and pods": Case(
        plan(),
        [
            node("a", allocatable={"pods": "1"}),
            node("b", allocatable={"devices.kubevirt.io/kvm": "1"}),
        ],
        [
            pod("shop/web", "a"),
            pod(
                *("vms/other", "b"),
                containers=[
                    {"name": "c", "resources": {"requests": {"devices.kubevirt.io/kvm": "1"}}}
                ],
            ),
        ],
    ),
    "an object that KARL cannot express": Case(
        with_object(podAffinity={REQUIRED: [OSD | {"matchLabelKeys": ["plan"]}]}), [node("a")], []
    ),
    "a name of a node": Case(
        with_object(nodeAffinity={REQUIRED: {"nodeSelectorTerms": [NAMED]}}), [node("a")], []
    ),
    "no pod matches all rules": Case(
        plan(affinity="REQUIRE pods(app=osd) on node; REQUIRE pods(app=web) on node"),
        [node("a")],
        [pod("rook/x", "a", {"app": "osd"}), pod("shop/x", "a", {"app": "web"})],
    ),
    "an object of kubectl mtv": Case(
        plan(spec={"convertorAffinity": {"podAntiAffinity": {REQUIRED: [OSD]}}}),
        [node("a")],
        [pod("rook/x", "a", {"app": "osd"})],
    ),
}


def test_advice_for_each_obstacle(golden: Golden) -> None:
    expected = {name: msgspec.to_builtins(advised(case)) for name, case in CASES.items()}
    golden(EXPECTED / "advice.yaml", yaml.safe_dump(expected, sort_keys=False, width=100))


@pytest.mark.parametrize(
    ("enforced", "pods"),
    [
        ("SPREAD pods(app=virt-v2v) on node hard", convertors("a")),
        ("AVOID pods(app=virt-v2v) on node", convertors("a")),
        ("REQUIRE pods(app=osd) on node", []),
    ],
)
def test_no_plan_can_change_a_rule_that_the_installation_enforces(
    enforced: str, pods: list[Json]
) -> None:
    found = karl.compile_all(enforced)
    floor = Settings(
        affinity=found.get("affinity", {}), spread=found.get("topologySpreadConstraints", [])
    )
    nodes = [node("a"), node("b", cordoned=True)]
    advice = advised(Case(plan(), nodes, pods), Installation(enforced=floor))
    of_rule = [each for each in advice if enforced[:6].strip() in each.problem]
    assert of_rule
    for each in of_rule:
        assert each.problem.endswith("(enforced.affinity of the installation)")
        assert each.command == ""


def test_no_plan_can_change_a_label_that_the_installation_enforces() -> None:
    case = Case(plan(node_selector="disk=ssd"), [node("a", {"disk": "hdd"})], [])
    (advice,) = advised(case, Installation(enforced=Settings(node_selector={"disk": "ssd"})))
    assert advice.command == "kubectl label node a disk=ssd --overwrite"


def test_a_taint_is_not_tolerated_if_the_plan_may_not_set_tolerations() -> None:
    case = Case(plan(), [node("a", taints=("gpu:NoSchedule",))], [])
    assert "patch" in advised(case)[0].command
    for limits in (Limits(settings=("labels",)), Limits(tolerations=("spot",))):
        (advice,) = advised(case, Installation(limits=limits))
        assert advice.command == ""
        assert "limits.tolerations" in advice.remedy


def test_commands_have_the_flags_that_selected_the_cluster_and_the_prefix() -> None:
    case = CASES["an object of kubectl mtv"]
    cluster = ClusterObjects([node("a", cordoned=True, taints=("gpu:NoSchedule",))], [], [], [])
    installation = Installation(prefix="example.com")
    flags = KubectlFlags("my hub", "kube config")
    advice = explain(case.plan, installation, cluster, flags).advice
    connection = "--context 'my hub' --kubeconfig 'kube config'"
    patch = "kubectl convertor patch plan db -n konveyor-forklift"
    prefix = "--annotation-prefix example.com"
    assert [each.command for each in advice] == [
        f"kubectl uncordon a {connection}",
        f"{patch} --convertor-tolerations gpu:NoSchedule {prefix} {connection}",
    ]
    advice = explain(
        case.plan, Installation(mode=Mode.OFF, plan_modes=False), cluster, flags
    ).advice
    assert advice[-1].command == (
        f"{HELM} mode=enforce --kube-context 'my hub' --kubeconfig 'kube config'"
    )


def test_a_preferred_node_term_may_lack_its_preference() -> None:
    term = {"nodeAffinity": {PREFERRED: [{"weight": 1}]}}
    explanation = explain(
        plan(), Installation(defaults={"affinity": term}), ClusterObjects([node("a")], [], [], [])
    )
    assert [(each.name, each.score) for each in explanation.nodes] == [("a", 0)]
    assert [each.text for each in explanation.rules] == [""]


def test_advice_is_about_the_nodes_with_the_fewest_and_most_common_obstacles() -> None:
    nodes = [node("z", taints=("a:NoSchedule", "b:NoSchedule"))]
    nodes += [
        node(f"{taint}{i}", taints=(f"{taint}:NoSchedule",))
        for taint, count in (("p", 1), ("q", 2), ("r", 3), ("s", 2))
        for i in range(count)
    ]
    advice = advised(Case(plan(), nodes, []))
    assert [(each.problem, each.nodes) for each in advice] == [
        ("taint q:NoSchedule", ["q0", "q1"]),
        ("taint r:NoSchedule", ["r0", "r1", "r2"]),
        ("taint s:NoSchedule", ["s0", "s1"]),
    ]


def test_the_vms_of_a_migration_are_cancelled_by_one_command() -> None:
    labels = {"forklift.app": "virt-v2v", "plan": "uid-db"}
    pods = [
        pod(f"vms/{vm}-{i}", "a", labels | {"migration": migration, "vmID": vm})
        for migration, vm in (("m-1", "vm-1"), ("m-2", "vm-3"), ("m-1", "vm-2"))
        for i in range(2)
    ]
    first, second, third = advised(Case(plan(), [node("a")], pods))
    assert first.problem.startswith("VM 'vm-1' has 2 convertor pods on the same disks: ")
    assert (first.remedy, first.command) == ("", "")
    assert second.problem.startswith("VM 'vm-2' has ")
    assert second.remedy == f"for each of them: {REMEDY}; the UID of the Migration is m-1"
    assert second.command.endswith(""" -p '{"spec":{"cancel":[{"id":"vm-1"},{"id":"vm-2"}]}}'""")
    assert third.remedy == f"{REMEDY}; the UID of the Migration is m-2"
    assert third.command.endswith(""" -p '{"spec":{"cancel":[{"id":"vm-3"}]}}'""")


UNLABELLED = [node("a", {"disk": "ssd"})]
UNCHANGED = Advice("the pending pod stays as it is", "changes apply only to pods created later")


def test_a_pending_pod_that_fits_is_left_to_the_scheduler() -> None:
    assert advised(Case(plan(), UNLABELLED, [convertor_pod("w")])) == [
        Advice(
            "the pending pod fits 1 node",
            "kube-scheduler retries by itself; see 'Not evaluated'",
        )
    ]


def test_a_pending_pod_with_other_settings_than_the_effective_ones() -> None:
    waiting = convertor_pod("w", nodeSelector={"disk": "nvme"})
    expected = [
        Advice(
            "the pending pod would fit 1 node if it were created now",
            "settings apply only to pods that are created after them",
        )
    ]
    wanted = plan(node_selector="disk=ssd")
    assert advised(Case(wanted, UNLABELLED, [waiting])) == expected
    waiting["metadata"]["annotations"] = {"convertor.forklift.konveyor.io/placement": "{}"}
    assert advised(Case(wanted, UNLABELLED, [waiting])) == expected


def test_a_pending_pod_does_not_change_with_the_plan() -> None:
    waiting = convertor_pod("w", nodeSelector={"disk": "nvme"})
    advice = advised(Case(plan(node_selector="disk=nvme"), UNLABELLED, [waiting]))
    assert [each.problem for each in advice] == [
        "no label disk=nvme: the label disk is 'ssd' on 1 node",
        "the pending pod stays as it is",
    ]


def test_in_mode_audit_the_pod_is_evaluated_unplaced() -> None:
    case = Case(plan(node_selector="disk=nvme"), UNLABELLED, [])
    assert len(advised(case)) == 1
    assert advised(case, Installation(mode=Mode.AUDIT)) == []


TOLERATED = plan(tolerations="gpu:NoSchedule")
TAINTED = [node("a", taints=("gpu:NoSchedule",))]
FITS = "a placed pod would fit 1 node"
HELM = "helm upgrade RELEASE CHART -n NAMESPACE --reset-then-reuse-values --set"


@pytest.mark.parametrize(
    ("installation", "mode", "remedy", "command"),
    [
        (
            Installation(mode=Mode.AUDIT),
            Mode.AUDIT,
            "set the plan's mode to enforce",
            "kubectl convertor patch plan db -n konveyor-forklift --mode enforce",
        ),
        (
            Installation(mode=Mode.OFF, plan_modes=False),
            Mode.OFF,
            "planModes is false: set the installation's mode to enforce",
            f"{HELM} mode=enforce",
        ),
        (
            Installation(plan_modes=False, namespace_modes={"vms": Mode.AUDIT}),
            Mode.AUDIT,
            "planModes is false: set the installation's mode to enforce",
            f"{HELM} namespaceModes.vms=enforce",
        ),
    ],
    ids=["plan", "installation", "namespace"],
)
def test_in_other_modes_the_advice_is_to_enforce_if_that_helps(
    installation: Installation, mode: Mode, remedy: str, command: str
) -> None:
    enforce = Advice(f"the mode is {mode}: {FITS}", remedy, command)

    assert advised(Case(TOLERATED, TAINTED, []), installation) == [enforce]
    waiting = Case(TOLERATED, TAINTED, [convertor_pod("w")])
    assert advised(waiting, installation) == [enforce, UNCHANGED]


def test_in_mode_audit_the_obstacles_are_those_of_the_pod_in_mode_enforce() -> None:
    tainted = [node("a", taints=("gpu:NoSchedule", "spot:NoSchedule"))]
    advice = advised(Case(TOLERATED, tainted, []), Installation(mode=Mode.AUDIT))
    assert [each.problem for each in advice] == [
        "taint spot:NoSchedule",
        "the mode is audit: all advice above is for placed pods",
    ]


def test_a_placed_pending_pod_would_not_be_placed_in_mode_audit() -> None:
    waiting = convertor_pod("w", nodeSelector={"disk": "nvme"})
    waiting["metadata"]["annotations"] = {"convertor.forklift.konveyor.io/placement": "{}"}
    case = Case(plan(node_selector="disk=nvme"), UNLABELLED, [waiting])
    assert advised(case, Installation(mode=Mode.AUDIT)) == [
        Advice(
            "the pending pod would fit 1 node if it were created now",
            "settings apply only to pods that are created after them",
        )
    ]


def test_a_malformed_pod_is_evaluated_unplaced() -> None:
    waiting = convertor_pod("w", affinity={"nodeAffinity": []}, nodeSelector={"disk": "nvme"})
    advice = advised(Case(plan(), UNLABELLED, [waiting]), Installation(mode=Mode.AUDIT))
    assert [each.problem for each in advice][:1] == [
        "no label disk=nvme: the label disk is 'ssd' on 1 node"
    ]


@pytest.mark.parametrize("where", ["the plan", "the defaults"])
def test_the_advised_tolerations_include_the_effective_ones(where: str) -> None:
    tolerated = "gpu=a:NoSchedule,spot"
    in_defaults = where == "the defaults"
    a_plan = plan() if in_defaults else plan(tolerations=tolerated)
    defaults: Json = {"tolerations": tolerated} if in_defaults else {}
    nodes = [node("a", taints=("gpu=a:NoSchedule", "gpu=b:NoSchedule"))]
    (advice,) = advised(Case(a_plan, nodes, []), Installation(defaults=defaults))
    assert advice.command.endswith("--convertor-tolerations gpu=a:NoSchedule,gpu=b:NoSchedule")


def test_reasons_are_limited_to_the_objects_that_can_be_read() -> None:
    a_plan = plan(affinity="REQUIRE pods(app=osd) on node")
    partial = ClusterObjects([node("a")], [], NAMESPACES, ["pods"], all_pods=False)
    (advice,) = explain(a_plan, Installation(), partial).advice
    assert advice.problem.endswith(": no pod that can be read has these labels")
    a_plan = plan(affinity="REQUIRE pods(app=osd) in namespaces (team=storage) on node")
    there = pod("rook/x", "a", {"app": "osd"})
    (advice,) = explain(a_plan, Installation(), ClusterObjects([node("a")], [there], [], [])).advice
    assert advice.problem.endswith(": the rule selects namespaces by labels that cannot be read")


def test_all_rules_on_pods_are_evaluated_together_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """For each of 150 rules it would take a minute on 1000 nodes."""
    evaluated: list[Json] = []

    def record(new: Json, snapshot: Snapshot) -> Filter:
        evaluated.append(new)
        return pod_affinity(new, snapshot)

    monkeypatch.setattr("webhook.reports.explain.remedies.pod_affinity", record)
    rules = "\n".join(f"REQUIRE pods(app=a{number}) on node" for number in range(5))
    pods = [pod(f"shop/p{number}", "n1", {"app": f"a{number}"}) for number in range(5)]
    found = advised(
        Case(
            plan(annotations={"affinity": rules}),
            [node("n1", {"kubernetes.io/hostname": "n1"})],
            pods,
        )
    )
    assert {each.remedy for each in found} == {
        "one pod must match all REQUIRE rules on pods at once"
    }
    assert len(found) == 5
    assert len(evaluated) == 1
