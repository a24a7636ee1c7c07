"""The required terms of all hard node rules together."""

from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook import karl
from webhook.kube.affinity import REQUIRED
from webhook.kube.sizes import MAX_ENTRIES

SELECTORS = st.sampled_from(
    ["a=1", "a=2", "a!=1", "b=1", "has b", "!b", "k>5", "k<7", "k>=9", "m>=64Gi", "c in [x,y]"]
)
RULES = st.lists(
    st.builds(
        lambda verb, selectors: f"{verb} nodes({', '.join(selectors)})",
        st.sampled_from(["REQUIRE", "AVOID", "AVOID"]),
        st.lists(SELECTORS, min_size=1, max_size=3, unique=True),
    ),
    min_size=1,
    max_size=5,
)


def terms(text: str) -> list[set[str]]:
    """Return the expressions of each term, or no terms if the rules are contradictory."""
    try:
        found: Any = karl.compile_unexpanded(text)["nodeAffinity"][REQUIRED]["nodeSelectorTerms"]
    except karl.KarlError:
        return []
    return [{str(each) for each in term["matchExpressions"]} for term in found]


@given(RULES)
def test_no_term_implies_another(rules: list[str]) -> None:
    found = terms("\n".join(rules))
    assert not any(one <= other for one, other in permutations(found, 2))


@given(RULES)
def test_the_order_of_rules_does_not_matter(rules: list[str]) -> None:
    def as_set(text: str) -> set[frozenset[str]]:
        return {frozenset(term) for term in terms(text)}

    assert as_set("\n".join(rules)) == as_set("\n".join(reversed(rules)))


def test_rules_without_alternatives_are_not_multiplied() -> None:
    pairs = [f"AVOID nodes(a{number}=1, b{number}=1)" for number in range(6)]
    always = [f"REQUIRE nodes(x{number}=1)" for number in range(100)]
    assert {len(term) for term in terms("\n".join(pairs + always))} == {106}
    assert len(terms("\n".join(always + pairs))) == 64


@pytest.mark.parametrize("verb", ["REQUIRE", "AVOID", "REPEL"])
def test_the_number_of_selectors_is_limited(verb: str) -> None:
    rules = [f"{verb} nodes(!x{number})" for number in range(MAX_ENTRIES)]
    assert karl.compile("\n".join([*rules, "PREFER nodes(!a, !b)"]))
    check_selector_limit([*rules[:-3], f"{verb} nodes(!a, !b, !c, !d)"])


def test_the_number_of_selectors_of_soft_rules_with_minimums_is_limited() -> None:
    rules = [f"PREFER nodes(memory>={number}Gi)" for number in range(1, MAX_ENTRIES + 1)]
    assert karl.compile("\n".join(rules))
    check_selector_limit([*rules[:-3], "PREFER nodes(!a, !b, !c, cpu>=2)"])


def check_selector_limit(rules: list[str]) -> None:
    with pytest.raises(karl.KarlError) as error:
        karl.compile("\n".join(rules))
    assert str(error.value).splitlines()[0] == (
        "karl: 254:1: the rules on nodes have more than 256 selectors"
    )


def test_the_number_of_combinations_is_limited() -> None:
    """Every alternative with z contradicts, so that there are never more than 64 terms."""
    pairs = [f"AVOID nodes(a{number}=1, b{number}=1)" for number in range(6)]
    forced = [f"AVOID nodes(z=1, q{number}=1)" for number in range(100)]
    assert len(terms("\n".join([*pairs, "REQUIRE nodes(z=1)", *forced[:1]]))) == 64
    with pytest.raises(karl.KarlError, match="compile to more than 64 terms"):
        karl.compile("\n".join([*pairs, "REQUIRE nodes(z=1)", *forced]))


def test_rules_that_contradict_each_other_are_found_after_too_many_terms() -> None:
    avoid = [
        f"AVOID nodes({', '.join(f'k{row}{column}=a' for column in range(9))})" for row in range(2)
    ]
    rules = [*avoid, "REQUIRE nodes(x=1)", "REQUIRE nodes(x=2)"]

    with pytest.raises(karl.KarlError, match="no node meets this rule and the ones before it"):
        karl.compile("\n".join(rules))
