"""Terms of an Affinity are converted to equivalent KARL rules, if there are any."""

from typing import Any

import pytest
from hypothesis import given

from tests.support import affinity_terms
from tests.support.karl_strategies import rules
from webhook import karl
from webhook.karl.decompile import (
    decompile,
    decompile_node_selector,
    decompile_spread,
    format_spread,
)
from webhook.kube.affinity import PREFERRED, REQUIRED
from webhook.kube.objects import Json
from webhook.model import Scope


def texts(affinity: Json) -> list[str | None]:
    return [karl.to_text(term.rule) if term.rule else None for term in decompile(affinity)]


def pod_term(**fields: Any) -> Json:
    return affinity_terms.pod_term("x", "zone", **fields)


def requirement(key: str, operator: str, *values: str) -> Json:
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
                        requirement("a", "In", "1", "2"),
                        requirement("b", "NotIn", "1"),
                        requirement("c", "Exists"),
                        requirement("d", "DoesNotExist"),
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
        (pod_term(namespaceSelector={"matchExpressions": [requirement("a", "Other")]}), None),
    ],
)
def test_a_pod_term_is_decompiled(term: Json, text: str | None) -> None:
    assert texts({"podAffinity": {REQUIRED: [term]}}) == [text]


@pytest.mark.parametrize(
    ("terms", "text"),
    [
        ([node_term(requirement("disk", "In", "ssd"))], "REQUIRE nodes(disk=ssd)"),
        (
            [node_term(requirement("cores", "Gt", "15"), requirement("cores", "Lt", "33"))],
            "REQUIRE nodes(cores>15, cores<33)",
        ),
        ([node_term(requirement("memory", "AtLeast", "64Gi"))], "REQUIRE nodes(memory>=64Gi)"),
        ([node_term(requirement("memory", "NotAtLeast", "64Gi"))], None),
        ([node_term(requirement("a", "Exists")), node_term(requirement("b", "Exists"))], None),
        ([{"matchFields": [requirement("metadata.name", "In", "n1")]}], None),
        ([], None),
    ],
)
def test_a_single_required_node_term_is_decompiled(terms: list[Json], text: str | None) -> None:
    assert texts({"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": terms}}}) == [text]


def test_an_affinity_is_decompiled_term_by_term() -> None:
    preference = {"weight": 5, "preference": node_term(requirement("disk", "In", "ssd"))}
    weighted = {"weight": 7, "podAffinityTerm": pod_term()}
    affinity = {
        "nodeAffinity": {PREFERRED: [preference]},
        "podAffinity": {PREFERRED: [weighted]},
        "podAntiAffinity": {REQUIRED: [pod_term()], PREFERRED: [weighted]},
    }
    assert texts(affinity) == [
        "PREFER nodes(disk=ssd) weight=5",
        "PREFER pods(app=x) in own namespace on zone weight=7",
        "AVOID pods(app=x) in own namespace on zone",
        "REPEL pods(app=x) in own namespace on zone weight=7",
    ]
    assert [term.affinity for term in decompile(affinity)] == [
        {"nodeAffinity": {PREFERRED: [preference]}},
        {"podAffinity": {PREFERRED: [weighted]}},
        {"podAntiAffinity": {REQUIRED: [pod_term()]}},
        {"podAntiAffinity": {PREFERRED: [weighted]}},
    ]


def test_an_entry_of_a_node_selector_is_decompiled() -> None:
    assert karl.to_text(decompile_node_selector("disk", "ssd")) == "REQUIRE nodes(disk=ssd)"


@given(rules())
def test_a_decompiled_rule_compiles_to_the_same_affinity(rule: karl.Rule) -> None:
    try:
        affinity = karl.compile_unexpanded(karl.to_text(rule), scope=Scope.OWN)
    except karl.KarlError:
        return  # contradicts itself
    for term in decompile(affinity):
        if term.rule:
            again = karl.compile_unexpanded(karl.to_text(term.rule), scope=Scope.OWN)
            assert normalize(again) == normalize(term.affinity)


def normalize(value: Any) -> Any:
    """Convert matchLabels to matchExpressions and sort them."""
    if isinstance(value, dict):
        labels = [
            requirement(key, "In", text) for key, text in value.get("matchLabels", {}).items()
        ]
        found = {key: normalize(each) for key, each in value.items() if key != "matchLabels"}
        if labels or "matchExpressions" in found:
            found["matchExpressions"] = sorted(labels + found.get("matchExpressions", []), key=str)
        return found
    return [normalize(item) for item in value] if isinstance(value, list) else value


def test_a_preferred_node_term_without_a_preference_has_no_rule() -> None:
    assert texts(
        {"nodeAffinity": {PREFERRED: [{"weight": 1}, {"weight": 1, "preference": None}]}}
    ) == [
        None,
        None,
    ]


SPREAD: Json = {
    "maxSkew": 1,
    "topologyKey": "kubernetes.io/hostname",
    "whenUnsatisfiable": "DoNotSchedule",
    "labelSelector": {"matchLabels": {"app": "x"}},
    "nodeTaintsPolicy": "Honor",
}


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({}, "SPREAD pods(app=x) on node hard"),
        ({"maxSkew": 3, "topologyKey": "a/b"}, "SPREAD pods(app=x) on a/b skew=3 hard"),
        ({"whenUnsatisfiable": "ScheduleAnyway"}, "SPREAD pods(app=x) on node"),
        ({"nodeAffinityPolicy": "Honor", "matchLabelKeys": []}, "SPREAD pods(app=x) on node hard"),
        ({"nodeTaintsPolicy": None}, None),
        ({"nodeTaintsPolicy": "Ignore"}, None),
        ({"nodeAffinityPolicy": "Ignore"}, None),
        ({"minDomains": 2}, None),
        ({"matchLabelKeys": ["a"]}, None),
        ({"labelSelector": {}}, None),
        ({"labelSelector": None}, None),
    ],
)
def test_a_spread_constraint_is_a_rule_if_it_honors_taints(changed: Json, text: str | None) -> None:
    rule = decompile_spread(SPREAD | changed)
    assert (karl.to_text(rule) if rule else None) == text


def test_a_spread_constraint_without_a_rule_is_shown_as_json() -> None:
    assert format_spread(SPREAD) == "SPREAD pods(app=x) on node hard"
    assert format_spread({"maxSkew": 1, "topologyKey": "z", "whenUnsatisfiable": "ScheduleAnyway"})[
        :14
    ] == ('{"maxSkew":1,"')


@given(rules())
def test_a_compiled_spread_is_the_same_rule_again(rule: karl.Rule) -> None:
    for constraint in karl.compile_all(karl.to_text(rule)).get("topologySpreadConstraints", []):
        found = decompile_spread(constraint)
        assert found
        again = karl.compile_all(karl.to_text(found))["topologySpreadConstraints"]
        assert again == [constraint]
