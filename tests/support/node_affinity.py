"""The nodes that a pod's node selector and affinity match: an oracle for tests.

It follows the definitions of Kubernetes (`component-helpers/scheduling`, `apimachinery/pkg/labels`)
and shares no code with what is tested, but for `AtLeast` and `NotAtLeast`: these operators are the
webhook's own, and compare quantities.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Any, TypeGuard

from webhook.kube import quantity
from webhook.kube.affinity import PREFERRED, REQUIRED

Labels = Mapping[str, str]


def every_node(values: Mapping[str, Sequence[str | None]]) -> list[dict[str, str]]:
    """Return the labels of all nodes that have one of these values for each label, or none."""
    return [
        {key: value for key, value in zip(values, chosen, strict=True) if value}
        for chosen in product(*values.values())
    ]


def admits(affinity: Mapping[str, Any], node: Labels) -> bool:
    """Return whether one of the required terms matches a node, or there are none."""
    required = (affinity.get("nodeAffinity") or {}).get(REQUIRED) or {}
    terms = required.get("nodeSelectorTerms")
    return not terms or any(matches_term(term, node) for term in terms)


def score(affinity: Mapping[str, Any], node: Labels) -> int:
    """Return the sum of the weights of the preferred terms that match a node."""
    preferred = affinity["nodeAffinity"][PREFERRED]
    return sum(term["weight"] for term in preferred if matches_term(term["preference"], node))


def matches_term(term: Mapping[str, Any], node: Labels) -> bool:
    expressions = term.get("matchExpressions") or []
    return bool(expressions) and all(matches(expression, node) for expression in expressions)


def matches(expression: Mapping[str, Any], node: Labels) -> bool:
    """Return whether an expression of a term matches a node."""
    value, operands = node.get(expression["key"]), expression.get("values") or [""]
    return _OPERATORS[expression["operator"]](value, operands)


def is_at_least(value: str | None, minimum: str) -> bool:
    try:
        return value is not None and quantity.parse(value) >= quantity.parse(minimum)
    except ValueError:
        return False


def _is_integer(value: str | None) -> TypeGuard[str]:
    return value is not None and value.isdigit()


_OPERATORS: dict[str, Callable[[str | None, Sequence[str]], bool]] = {
    "In": lambda value, operands: value in operands,
    "NotIn": lambda value, operands: value not in operands,
    "Exists": lambda value, _: value is not None,
    "DoesNotExist": lambda value, _: value is None,
    "Gt": lambda value, operands: _is_integer(value) and int(value) > int(operands[0]),
    "Lt": lambda value, operands: _is_integer(value) and int(value) < int(operands[0]),
    "AtLeast": lambda value, operands: is_at_least(value, operands[0]),
    "NotAtLeast": lambda value, operands: not is_at_least(value, operands[0]),
}
