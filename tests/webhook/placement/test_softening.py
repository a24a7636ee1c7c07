"""Required rules as preferences: a node that met the rules has the weight, every other one none."""

from time import process_time

import pytest
from hypothesis import given

from tests.support import worlds
from tests.support.builders import ZONE
from tests.support.node_affinity import admits, score
from webhook import karl
from webhook.karl.minimums import AT_LEAST
from webhook.kube.affinity import MAX_NODE_TERMS, PREFERRED, REQUIRED
from webhook.kube.objects import Json
from webhook.model import AffinityPolicy, Settings
from webhook.placement.softening import WEIGHT, join, soften, split


def node_terms(*terms: list[Json]) -> Json:
    listed = [{"matchExpressions": term} for term in terms]
    return {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": listed}}}


def one_of(key: str, *values: str) -> Json:
    return {"key": key, "operator": "In", "values": list(values)}


def preferences(settings: Settings) -> list[Json]:
    found: list[Json] = settings.affinity["nodeAffinity"][PREFERRED]
    return found


@given(worlds.affinities(minimums=True))
def test_an_affinity_is_the_same_after_it_was_split(affinity: Json) -> None:
    filled = {kind: {k: v for k, v in each.items() if v} for kind, each in affinity.items()}

    assert join(split(affinity)) == {kind: each for kind, each in filled.items() if each}


@given(worlds.affinities(minimums=True))
def test_exactly_the_nodes_that_met_the_rules_are_preferred_once(affinity: Json) -> None:
    on_nodes = {REQUIRED: (affinity.get("nodeAffinity") or {}).get(REQUIRED)}
    if not on_nodes[REQUIRED]:
        return
    hard = {"nodeAffinity": on_nodes}
    compares = '"Gt"' in str(hard).replace("'", '"') or '"Lt"' in str(hard).replace("'", '"')

    soft = soften(Settings(affinity=hard)).affinity or {"nodeAffinity": {PREFERRED: []}}

    for node in worlds.NODES:
        if not (compares and node.get("cores") == "many"):  # see karl.expressions.negate
            assert score(soft, node) == (WEIGHT if admits(hard, node) else 0)


@given(worlds.settings())
def test_nothing_is_required_and_no_preference_is_lost(settings: Settings) -> None:
    before, soft = split(settings.affinity), soften(settings)
    after = split(soft.affinity)

    assert (after.node_terms, soft.node_selector, soft.node_requirements) == ([], {}, [])
    assert not any(after.pod_terms.values())
    for kind, preferred in before.pod_preferences.items():
        assert all(each in after.pod_preferences[kind] for each in preferred)
    assert all(each in after.node_preferences for each in before.node_preferences)


def test_a_required_pod_term_is_a_preference_of_the_full_weight() -> None:
    hard = karl.compile("REQUIRE pods(app=ceph) on node\nAVOID pods(app=db) on zone")

    soft = soften(Settings(affinity=hard)).affinity

    assert soft == {
        kind: {PREFERRED: [{"weight": 100, "podAffinityTerm": term} for term in each[REQUIRED]]}
        for kind, each in hard.items()
    }


def test_each_key_of_the_node_selector_is_a_preference() -> None:
    minimum = {"key": "memory", "operator": AT_LEAST, "values": ["64Gi"]}
    settings = Settings(node_selector={"disk": "nvme", ZONE: "b"}, node_requirements=[minimum])

    assert [each["preference"]["matchExpressions"] for each in preferences(soften(settings))] == [
        [one_of("disk", "nvme")],
        [one_of(ZONE, "b")],
        [minimum],
    ]


def test_a_term_on_fields_of_the_node_is_negated_too() -> None:
    name = {"key": "metadata.name", "operator": "In", "values": ["n1"]}
    terms = [{"matchFields": [name]}, {"matchExpressions": [one_of("disk", "ssd")]}]
    hard = {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [*terms, {}]}}}

    assert [each["preference"] for each in preferences(soften(Settings(affinity=hard)))] == [
        terms[0],
        {
            "matchExpressions": [one_of("disk", "ssd")],
            "matchFields": [name | {"operator": "NotIn"}],
        },
    ]


def test_too_many_disjoint_terms_stay_as_they_are() -> None:
    terms = [[one_of(f"{key}{index}", "x") for key in "abc"] for index in range(5)]
    hard = node_terms(*terms)

    soft = preferences(soften(Settings(affinity=hard)))

    assert MAX_NODE_TERMS < 3**4
    assert [each["preference"]["matchExpressions"] for each in soft] == terms


@pytest.mark.parametrize("part", ["affinity", "node_selector"])
def test_settings_of_the_role_stay_required(part: str) -> None:
    settings = Settings(
        node_selector={"disk": "ssd"},
        affinity=node_terms([one_of(ZONE, "b")]),
        copied={"nodeAffinity": {}},
        affinity_policy=AffinityPolicy.REPLACE,
    )

    if part == "affinity":
        kept = soften(settings, affinity=False)
        assert split(kept.affinity).node_terms == split(settings.affinity).node_terms
        assert kept.node_selector == {}
    else:
        kept = soften(settings, node_selector=False)
        assert split(kept.affinity).node_terms == []
        assert kept.node_selector == {"disk": "ssd"}
    assert kept.copied == {}


def test_terms_that_take_long_to_be_made_disjoint_are_left_as_they_are() -> None:
    repeated = [{"key": ZONE, "operator": "Exists"}] * 20
    hard = node_terms(*([one_of(ZONE, f"z{number}"), *repeated] for number in range(60)))

    started = process_time()
    soft = soften(Settings(affinity=hard))

    assert process_time() - started < 0.1
    assert [each["preference"] for each in preferences(soft)] == split(hard).node_terms
