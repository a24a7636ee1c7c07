"""Node rules that exclude each other by logic."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.affinity_terms import at_least, is_in
from tests.support.node_affinity import every_node, matches_term
from webhook.kube.objects import Json
from webhook.placement.exclusion import MAX_COMPARED, exclude_each_other
from webhook.placement.required_rules import to_terms

A, B = is_in("zone", "a"), is_in("zone", "b")


def field(*names: str) -> Json:
    return {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [*names]}]}


@pytest.mark.parametrize(
    ("rules", "excluded"),
    [
        ([], False),
        ([[]], False),
        ([[A], []], False),
        ([[A], [A, B]], False),
        ([[A], [B]], True),
        ([[A, B], [B], [A]], True),
        ([[A], [{}]], True),
        ([[field("n1")], [field("n2")]], True),
        ([[field("n1")], [is_in("metadata.name", "n2")]], False),
        ([to_terms({"zone": "a"}), to_terms({"zone": "b"})], True),
        ([to_terms({}), to_terms({"zone": "b"})], False),
        ([[at_least("AtLeast", "64Gi")], to_terms({"memory": "32Gi"})], True),
    ],
)
def test_rules_exclude_each_other_if_no_node_matches_one_term_of_each(
    rules: list[list[Json]],
    excluded: bool,
) -> None:
    assert exclude_each_other(rules) is excluded


def test_rules_with_too_many_alternatives_or_values_count_as_compatible() -> None:
    many = [is_in(f"k{number}", "x") for number in range(64)]
    assert not exclude_each_other([many, many, [A], [B]])
    assert not exclude_each_other([[is_in("zone", *map(str, range(MAX_COMPARED)))], [A]])
    assert exclude_each_other([many, [A], [B]])
    assert exclude_each_other([[A], [B], many, many])


_VALUES: dict[str, list[str | None]] = {"zone": ["a", "b", None], "disk": ["ssd", "nvme", None]}
_terms = st.lists(
    st.builds(
        lambda key, operator, values: {
            "matchExpressions": [
                {"key": key, "operator": operator}
                | ({"values": values} if operator in ("In", "NotIn") else {})
            ]
        },
        st.sampled_from(sorted(_VALUES)),
        st.sampled_from(["In", "NotIn", "Exists", "DoesNotExist"]),
        st.lists(st.sampled_from(["a", "b", "ssd", "nvme"]), min_size=1, max_size=2, unique=True),
    ),
    max_size=3,
)


@given(st.lists(_terms, max_size=4))
def test_rules_that_exclude_each_other_share_no_node(rules: list[list[Json]]) -> None:
    if exclude_each_other(rules):
        for labels in every_node(_VALUES):
            assert not all(
                not terms or any(matches_term(term, labels) for term in terms) for terms in rules
            )
