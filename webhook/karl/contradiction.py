"""Detection of label expressions that contradict each other."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from webhook.karl.minimums import AT_LEAST, MAX_INTEGER, NOT_AT_LEAST
from webhook.kube import quantity
from webhook.kube.objects import Json

_ALLOW_ABSENCE = {"NotIn", "DoesNotExist", NOT_AT_LEAST}


def is_unsatisfiable(term: Iterable[Json]) -> bool:
    """Return whether no node matches a term, because its expressions on a label contradict.

    Each expression by itself can match.
    """
    by_key: dict[str, list[Json]] = {}
    for expression in term:
        by_key.setdefault(expression["key"], []).append(expression)
    return any(len(each) > 1 and are_contradictory(each) for each in by_key.values())


def are_contradictory(expressions: Sequence[Json]) -> bool:
    """Return whether neither a value of the label nor its absence matches all expressions.

    Not every contradiction is detected: `k>5,k<7,k!=6` is not.
    """
    operators = {expression["operator"] for expression in expressions}
    if operators <= _ALLOW_ABSENCE:
        return False
    if "DoesNotExist" in operators:
        return True
    limits = _find_limits(expressions)
    allowed = [set(e["values"]) for e in expressions if e["operator"] == "In"]
    denied = [set(e["values"]) for e in expressions if e["operator"] == "NotIn"]
    if allowed:
        values = set.intersection(*allowed).difference(*denied)
        return not any(_contains(limits, value) for value in values)
    return _is_empty(limits)


@dataclass(frozen=True, slots=True)
class _Limits:
    integer: bool
    """The label must be an integer, because there is a `Gt` or `Lt`."""
    above: Decimal
    below: Decimal
    at_least: Decimal
    not_at_least: Decimal


def _find_limits(expressions: Sequence[Json]) -> _Limits:
    def operands(operator: str, bound: str) -> Iterable[Decimal]:
        written = (e["values"][0] for e in expressions if e["operator"] == operator)
        return [Decimal(bound), *map(quantity.parse, written)]

    return _Limits(
        integer=any(expression["operator"] in {"Gt", "Lt"} for expression in expressions),
        above=max(operands("Gt", "-Infinity")),
        below=min(operands("Lt", "Infinity")),
        at_least=max(operands(AT_LEAST, "-Infinity")),
        not_at_least=min(operands(NOT_AT_LEAST, "Infinity")),
    )


def _contains(limits: _Limits, value: str) -> bool:
    """Return whether a label value is within the limits."""
    if limits.integer and not (re.fullmatch("[0-9]+", value) and int(value) <= MAX_INTEGER):
        return False
    try:
        size = quantity.parse(value)
    except ValueError:
        return limits.at_least.is_infinite()
    return limits.above < size < limits.below and limits.at_least <= size < limits.not_at_least


def _is_empty(limits: _Limits) -> bool:
    """Return whether no label value is within the limits."""
    if not limits.integer:
        return limits.at_least >= limits.not_at_least
    lowest = max(limits.above + 1, limits.at_least)
    return lowest >= limits.below or lowest >= limits.not_at_least
