"""Merging of affinities, and the default namespaces of pod terms."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.affinity_terms import pod_term
from webhook.kube.affinity import (
    PREFERRED,
    REQUIRED,
    and_node_terms,
    default_to_all_namespaces,
    merge_affinities,
)
from webhook.kube.objects import Json

KEYS = "abc"


def term(*conditions: str) -> Json:
    """Return a term that requires a label, or with `!a` its absence."""
    return {
        "matchExpressions": [
            {"key": key.strip("!"), "operator": "DoesNotExist" if "!" in key else "Exists"}
            for key in conditions
        ]
    }


def nodes() -> list[set[str]]:
    """Return every possible node with up to three labels."""
    return [
        {key for key, has in zip(KEYS, choice, strict=True) if has}
        for choice in product([True, False], repeat=len(KEYS))
    ]


def matches(terms: list[Json], node: set[str]) -> bool:
    return any(
        term.get("matchExpressions")
        and all(
            (condition["key"] in node) == (condition["operator"] == "Exists")
            for condition in term["matchExpressions"]
        )
        for term in terms
    )


terms_of_a_small_world = st.lists(
    st.lists(st.sampled_from([*KEYS, *(f"!{key}" for key in KEYS)]), max_size=3).map(
        lambda conditions: term(*conditions)
    ),
    min_size=1,
    max_size=4,
)


@given(terms_of_a_small_world, terms_of_a_small_world)
def test_anded_terms_match_the_nodes_that_both_lists_match(
    terms: list[Json], others: list[Json]
) -> None:
    anded = and_node_terms(terms, others)

    assert [matches(anded, node) for node in nodes()] == [
        matches(terms, node) and matches(others, node) for node in nodes()
    ]


@given(terms_of_a_small_world, terms_of_a_small_world)
def test_anding_is_idempotent(terms: list[Json], others: list[Json]) -> None:
    anded = and_node_terms(terms, others)

    assert and_node_terms(anded, others) == anded


@pytest.mark.parametrize(
    ("terms", "others", "anded"),
    [
        pytest.param([term("a")], [term("b")], [term("a", "b")], id="one of each"),
        pytest.param(
            [term("a")], [term("b"), term("c")], [term("a", "b"), term("a", "c")], id="product"
        ),
        pytest.param([term("a", "b")], [term("b")], [term("a", "b")], id="implied already"),
        pytest.param([{}], [term("b")], [{}], id="an empty term matches nothing"),
        pytest.param([term("a")], [{}], [{}], id="nothing matches an empty term"),
        pytest.param([term("a")], [{}, term("b")], [term("a", "b")], id="another term matches"),
        pytest.param([], [term("b")], [], id="an empty list matches nothing"),
        pytest.param(
            [term("a"), term("b")],
            [term("a", "c"), term("b", "c")],
            [term("a", "c"), term("b", "c")],
            id="the plan's terms over those that Forklift copied",
        ),
        pytest.param(
            [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n"]}]}],
            [term("a")],
            [
                {
                    "matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n"]}],
                    **term("a"),
                }
            ],
            id="fields and labels",
        ),
    ],
)
def test_a_product_has_no_redundant_terms(
    terms: list[Json], others: list[Json], anded: list[Json]
) -> None:
    assert and_node_terms(terms, others) == anded


def test_a_product_of_more_than_64_terms_is_an_error() -> None:
    terms = [term(f"a{number}") for number in range(13)]
    others = [term(f"b{number}") for number in range(5)]

    assert len(and_node_terms(terms[:12], others)) == 60
    with pytest.raises(ValueError, match=r"^makes more than 64 required node terms$"):
        and_node_terms(terms, others)


def test_merging_unites_the_terms_without_duplicates() -> None:
    first = {
        "podAffinity": {REQUIRED: [pod_term("a"), pod_term("b")]},
        "nodeAffinity": {PREFERRED: [{"weight": 1, "preference": term("a")}]},
    }
    second = {
        "podAffinity": {REQUIRED: [pod_term("b"), pod_term("c"), pod_term("c")], PREFERRED: None},
        "podAntiAffinity": {PREFERRED: [{"weight": 5, "podAffinityTerm": pod_term("d")}]},
        "nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [term("b")]}},
    }

    assert merge_affinities(first, second) == {
        "podAffinity": {REQUIRED: [pod_term("a"), pod_term("b"), pod_term("c")], PREFERRED: None},
        "podAntiAffinity": {PREFERRED: [{"weight": 5, "podAffinityTerm": pod_term("d")}]},
        "nodeAffinity": {
            PREFERRED: [{"weight": 1, "preference": term("a")}],
            REQUIRED: {"nodeSelectorTerms": [term("b")]},
        },
    }


def test_merging_keeps_a_node_selector_without_terms() -> None:
    without: Json = {"nodeAffinity": {REQUIRED: {}}}
    some: Json = {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [term("a")]}}}

    assert merge_affinities(without, some) == {
        "nodeAffinity": {REQUIRED: {"nodeSelectorTerms": []}}
    }
    assert merge_affinities({}, some) == some
    assert merge_affinities({"nodeAffinity": {REQUIRED: None}}, some) == some


def test_merging_keeps_unknown_fields() -> None:
    assert merge_affinities(
        {"podAffinity": {"new": [1]}, "future": 1, "both": 1}, {"next": 2, "both": 2}
    ) == {"podAffinity": {"new": [1]}, "future": 1, "both": 1, "next": 2}


def test_only_terms_without_namespaces_default_to_all_namespaces() -> None:
    narrow, chosen = pod_term("a"), pod_term("b", namespaces=["storage"])
    by_label = pod_term("c", namespaceSelector={"matchLabels": {"tier": "storage"}})
    wide = pod_term("a", namespaceSelector={})
    nodes = {REQUIRED: {"nodeSelectorTerms": [term("a")]}}
    affinity = {
        "podAffinity": {REQUIRED: [narrow, chosen, by_label, wide], "new": 1},
        "podAntiAffinity": {PREFERRED: [{"weight": 1, "podAffinityTerm": narrow}]},
        "nodeAffinity": nodes,
    }

    assert default_to_all_namespaces(affinity) == {
        "podAffinity": {REQUIRED: [wide, chosen, by_label, wide], "new": 1},
        "podAntiAffinity": {PREFERRED: [{"weight": 1, "podAffinityTerm": wide}]},
        "nodeAffinity": nodes,
    }


def test_an_affinity_without_such_terms_is_not_copied() -> None:
    affinity = {"podAffinity": {REQUIRED: [pod_term("a", namespaceSelector={})]}}

    assert default_to_all_namespaces(affinity) is affinity
