"""Rules are explained in plain English, compiled, and with what they match now."""

import pytest

from tests.support.builders import ZONE, convertor_pod, node, plan, pod
from webhook import karl
from webhook.karl.minimums import to_expression
from webhook.kube.affinity import REQUIRED
from webhook.kube.objects import Json
from webhook.model import Installation, Settings
from webhook.reports.explain import ClusterObjects, explain
from webhook.reports.explain.model import Matches, Rule

ANNOTATION = "annotation convertor.forklift.konveyor.io/"


def rules(
    a_plan: Json,
    nodes: list[Json],
    pods: list[Json] | None = None,
    installation: Installation | None = None,
) -> list[Rule]:
    cluster = ClusterObjects(nodes, pods or [], [], [])
    return explain(a_plan, installation or Installation(), cluster).rules


def test_matches_have_the_total_and_some_names() -> None:
    nodes = [node(f"n{i}", {ZONE: "a"}) for i in range(8)]
    pods = [pod(f"rook/osd-{i}", f"n{i}", {"app": "osd"}) for i in range(6)]
    (rule,) = rules(plan(affinity="REQUIRE pods(app=osd) on zone"), nodes, pods)
    assert rule.pods == Matches(6, [f"rook/osd-{i}" for i in range(5)])
    assert rule.nodes == Matches(8, ["n0", "n1", "n2", "n3", "n4"])
    assert rule.note == ""


def test_a_minimum_is_expanded_over_the_nodes() -> None:
    nodes = [node("a", {"memory": "64Gi"}), node("b", {"memory": "32Gi"}), node("c")]
    gi, cores = rules(plan(node_selector="memory=48Gi+,cores=16+"), nodes)
    values = {"key": "memory", "operator": "In", "values": ["48Gi", "64Gi"]}
    assert gi == Rule(
        source=f"{ANNOTATION}node-selector",
        sentence="A convertor pod must run on a node where memory is at least 48Gi.",
        affinity={
            "nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [{"matchExpressions": [values]}]}}
        },
        text="memory=48Gi+",
        nodes=Matches(1, ["a"]),
    )
    assert (cores.nodes, cores.note) == (Matches(0, []), "no node has the label cores")
    assert cores.sentence == "A convertor pod must run on a node where cores is at least 16."


def test_a_term_that_karl_cannot_express_has_no_sentence() -> None:
    either = [{"matchExpressions": [{"key": key, "operator": "Exists"}]} for key in ("a", "b")]
    affinity = {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": either}}}
    (rule,) = rules(plan(spec={"convertorAffinity": affinity}), [node("n", {"b": "1"})])
    assert rule == Rule("spec.convertorAffinity", "", affinity, nodes=Matches(1, ["n"]))


def test_the_sentence_of_a_rule_without_namespace_has_the_scope() -> None:
    affinity = "PREFER pods(app=x) on rack weight=5"
    (wide,) = rules(plan(affinity=affinity), [])
    (own,) = rules(plan(affinity=affinity, scope="own"), [])
    sentence = "A convertor pod should run in the same rack as a pod where app is x, in {}"
    assert wide.sentence == sentence.format("any namespace (weight 5 of 100).")
    assert own.sentence == sentence.format("its own namespace (weight 5 of 100).")


def test_a_spread_has_its_constraint_and_the_pods_that_it_counts() -> None:
    nodes = [
        node("a", {ZONE: "x"}),
        node("b", {ZONE: "y"}),
        node("c", {ZONE: "z"}, taints=("gpu:NoSchedule",)),
        node("d"),
    ]
    pods = [convertor_pod(f"p{i}", "a", plan="other") for i in range(2)]
    (rule,) = rules(plan(affinity="SPREAD pods(app=virt-v2v) on zone hard"), nodes, pods)
    constraint = {
        "maxSkew": 1,
        "topologyKey": ZONE,
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": "virt-v2v"}},
        "nodeTaintsPolicy": "Honor",
    }
    assert rule == Rule(
        source=f"{ANNOTATION}affinity",
        sentence=(
            "The pods where app is virt-v2v, in its own namespace, must be spread over zones, with "
            "a difference of at most 1."
        ),
        affinity={},
        spread=constraint,
        text="SPREAD pods(app=virt-v2v) on zone hard",
        domains={"x": 2, "y": 0},
    )


@pytest.mark.parametrize(
    ("rule", "note"),
    [
        ("SPREAD pods(app=virt-v2v) on node", ""),
        ("SPREAD pods(app=virt-v2v) on rack", "no node has the label topology.kubernetes.io/rack"),
        (
            "SPREAD pods(app=virt-v2v) on spot; REQUIRE nodes(not has spot)",
            "the pod may use none of the nodes with the label spot",
        ),
        (
            "SPREAD pods(app=db) on node",
            "the pod itself does not match, so it is placed by the numbers of the others",
        ),
    ],
)
def test_a_spread_that_counts_other_pods_or_none_has_a_note(rule: str, note: str) -> None:
    found = rules(plan(affinity=rule), [node("a"), node("b", {"spot": "true"})])
    assert found[0].note == note


def test_rules_beyond_the_limits_are_not_listed() -> None:
    text = "AVOID pods(app=db) on zone; AVOID pods(app=db) on node"
    assert [each.text for each in rules(plan(affinity=text), [])] == ["AVOID pods(app=db) on node"]


def test_rules_that_the_installation_enforces_are_listed_last() -> None:
    found = karl.compile_all("REQUIRE nodes(disk=ssd); SPREAD pods(app=x) on node")
    floor = Settings(
        node_selector={"migration": "allowed"},
        node_requirements=[to_expression("cores", "16")],
        affinity=found["affinity"],
        spread=found["topologySpreadConstraints"],
    )
    listed = rules(
        plan(node_selector="migration=x,a=b", affinity="REQUIRE nodes(b=c)"),
        [],
        installation=Installation(enforced=floor),
    )
    assert [(each.text, each.source) for each in listed] == [
        ("a=b", f"{ANNOTATION}node-selector"),
        ("REQUIRE nodes(b=c)", f"{ANNOTATION}affinity"),
        ("migration=allowed", "installation enforced.nodeSelector"),
        ("cores=16+", "installation enforced.nodeSelector"),
        ("REQUIRE nodes(disk=ssd)", "installation enforced.affinity"),
        ("SPREAD pods(app=x) on node", "installation enforced.affinity"),
    ]
    assert all(each.sentence for each in listed)
