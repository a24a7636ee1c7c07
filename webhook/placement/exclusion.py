"""Node rules that exclude each other by logic, whatever nodes there are."""

from collections.abc import Iterable

from webhook.karl.contradiction import is_unsatisfiable
from webhook.kube.objects import Json
from webhook.placement.required_rules import NodeTerms

MAX_COMPARED = 16384
"""Requirements and values of all combinations of alternatives; it takes at most about 50 ms. Rules
with more count as compatible."""

_FIELD = "field "
"""Begins the key of a matchFields requirement; no label key has a space."""


def exclude_each_other(rules: Iterable[NodeTerms]) -> bool:
    """Return whether no node can match one term of each list.

    Not every contradiction is detected, see `webhook.karl.contradiction`.
    """
    combinations: list[list[Json]] = [[]]
    for terms in rules:
        if not terms:
            continue
        alternatives = [found for term in terms if (found := _list_requirements(term))]
        sizes = sum(map(_count, combinations)), sum(map(_count, alternatives))
        if sizes[0] * len(alternatives) + sizes[1] * len(combinations) > MAX_COMPARED:
            return False
        combinations = [
            both
            for combination in combinations
            for alternative in alternatives
            if not is_unsatisfiable(both := combination + alternative)
        ]
    return not combinations


def _list_requirements(term: Json) -> list[Json]:
    """Return all requirements of a term as expressions; an empty term matches no node."""
    fields = [each | {"key": _FIELD + each["key"]} for each in term.get("matchFields") or ()]
    return [*(term.get("matchExpressions") or ()), *fields]


def _count(requirements: list[Json]) -> int:
    return sum(1 + len(each.get("values") or ()) for each in requirements)
