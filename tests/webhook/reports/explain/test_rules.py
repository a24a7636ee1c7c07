"""Rules are explained in plain English, compiled, and with what they match now."""

from tests.support.builders import ZONE, node, plan, pod
from webhook.kube.affinity import REQUIRED
from webhook.kube.objects import Json
from webhook.model import Installation
from webhook.reports.explain import ClusterObjects, explain
from webhook.reports.explain.model import Matches, Rule

ANNOTATION = "annotation convertor.forklift.konveyor.io/"


def rules(a_plan: Json, nodes: list[Json], pods: list[Json] | None = None) -> list[Rule]:
    return explain(a_plan, Installation(), ClusterObjects(nodes, pods or [], [], [])).rules


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
