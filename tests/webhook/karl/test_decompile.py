"""Terms of an object are said as the rule of KARL that means the same, where there is one."""

from typing import Any

import pytest
from hypothesis import given

from tests.webhook.karl.strategies import rules
from webhook import karl
from webhook.karl.decompile import parts, selector_rule
from webhook.kube.affinity import PREFERRED, REQUIRED
from webhook.kube.objects import Json
from webhook.model import Scope


def texts(affinity: Json) -> list[str | None]:
    return [karl.to_text(part.rule) if part.rule else None for part in parts(affinity)]


def pod_term(**more: Any) -> Json:
    return {"labelSelector": {"matchLabels": {"app": "x"}}, "topologyKey": "zone", **more}


def says(key: str, operator: str, *values: str) -> Json:
    return {"key": key, "operator": operator} | ({"values": list(values)} if values else {})


def node_term(*expressions: Json) -> Json:
    return {"matchExpressions": list(expressions)}


@pytest.mark.parametrize(
    ("term", "text"),
    [
        (pod_term(), "REQUIRE pods(app=x) in own namespace on zone"),
        (pod_term(namespaceSelector={}), "REQUIRE pods(app=x) in all namespaces on zone"),
        (pod_term(namespaces=["a"]), "REQUIRE pods(app=x) in namespace a on zone"),
        (
            pod_term(namespaceSelector={"matchLabels": {"team": "t"}}),
            "REQUIRE pods(app=x) in namespaces (team=t) on zone",
        ),
        (
            pod_term(topologyKey="kubernetes.io/hostname", namespaces=["a", "b"]),
            "REQUIRE pods(app=x) in namespaces [a, b] on node",
        ),
        (
            pod_term(
                labelSelector={
                    "matchLabels": {"app": "x"},
                    "matchExpressions": [
                        says("a", "In", "1", "2"),
                        says("b", "NotIn", "1"),
                        says("c", "Exists"),
                        says("d", "DoesNotExist"),
                    ],
                }
            ),
            "REQUIRE pods(app=x, a in [1, 2], b!=1, has c, not has d) in own namespace on zone",
        ),
        (pod_term(namespaces=["a"], namespaceSelector={"matchLabels": {"t": "u"}}), None),
        (pod_term(matchLabelKeys=["app"]), None),
        (pod_term(mismatchLabelKeys=["app"]), None),
        (pod_term(labelSelector={}), None),
        (pod_term(labelSelector=None), None),
        (pod_term(namespaceSelector={"matchExpressions": [says("a", "Other")]}), None),
    ],
)
def test_a_pod_term_is_a_rule(term: Json, text: str | None) -> None:
    assert texts({"podAffinity": {REQUIRED: [term]}}) == [text]


@pytest.mark.parametrize(
    ("terms", "text"),
    [
        ([node_term(says("disk", "In", "ssd"))], "REQUIRE nodes(disk=ssd)"),
        (
            [node_term(says("cores", "Gt", "15"), says("cores", "Lt", "33"))],
            "REQUIRE nodes(cores>15, cores<33)",
        ),
        ([node_term(says("memory", "AtLeast", "64Gi"))], "REQUIRE nodes(memory>=64Gi)"),
        ([node_term(says("memory", "NotAtLeast", "64Gi"))], None),
        ([node_term(says("a", "Exists")), node_term(says("b", "Exists"))], None),
        ([{"matchFields": [says("metadata.name", "In", "n1")]}], None),
        ([], None),
    ],
)
def test_required_node_terms_are_a_rule_where_there_is_one_of_them(
    terms: list[Json], text: str | None
) -> None:
    assert texts({"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": terms}}}) == [text]


def test_an_affinity_comes_in_parts_that_make_it_up() -> None:
    preference = {"weight": 5, "preference": node_term(says("disk", "In", "ssd"))}
    wish = {"weight": 7, "podAffinityTerm": pod_term()}
    affinity = {
        "nodeAffinity": {PREFERRED: [preference]},
        "podAffinity": {PREFERRED: [wish]},
        "podAntiAffinity": {REQUIRED: [pod_term()], PREFERRED: [wish]},
    }
    assert texts(affinity) == [
        "PREFER nodes(disk=ssd) weight=5",
        "PREFER pods(app=x) in own namespace on zone weight=7",
        "AVOID pods(app=x) in own namespace on zone",
        "REPEL pods(app=x) in own namespace on zone weight=7",
    ]
    assert [part.affinity for part in parts(affinity)] == [
        {"nodeAffinity": {PREFERRED: [preference]}},
        {"podAffinity": {PREFERRED: [wish]}},
        {"podAntiAffinity": {REQUIRED: [pod_term()]}},
        {"podAntiAffinity": {PREFERRED: [wish]}},
    ]


def test_an_entry_of_a_node_selector_is_a_rule() -> None:
    assert karl.to_text(selector_rule("disk", "ssd")) == "REQUIRE nodes(disk=ssd)"


@given(rules())
def test_the_rule_of_a_compiled_rule_compiles_to_the_same(rule: karl.Rule) -> None:
    try:
        affinity = karl.compile_open(karl.to_text(rule), scope=Scope.OWN)
    except karl.KarlError:
        return  # contradicts itself
    for part in parts(affinity):
        if part.rule:
            again = karl.compile_open(karl.to_text(part.rule), scope=Scope.OWN)
            assert plain(again) == plain(part.affinity)


def plain(value: Any) -> Any:
    """Say labels as expressions, and expressions in one order: `a=b` is `a in [b]`."""
    if isinstance(value, dict):
        labels = [says(key, "In", text) for key, text in value.get("matchLabels", {}).items()]
        found = {key: plain(each) for key, each in value.items() if key != "matchLabels"}
        if labels or "matchExpressions" in found:
            found["matchExpressions"] = sorted(labels + found.get("matchExpressions", []), key=str)
        return found
    return [plain(item) for item in value] if isinstance(value, list) else value
