"""Node rules that exclude each other by logic, whatever nodes there are."""

from collections.abc import Iterable

from webhook.karl.contradiction import is_unsatisfiable
from webhook.kube.objects import Json
from webhook.placement.required_rules import NodeTerms

MAX_COMBINATIONS = 1024
"""Of alternatives that are compared. Beyond it rules count as compatible."""

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
        if len(combinations) * len(alternatives) > MAX_COMBINATIONS:
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
