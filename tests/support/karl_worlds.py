"""Small worlds of nodes, what a rule says of each, and what the scheduler makes of an affinity.

Both sides are written from their definitions (docs/karl.md; `component-helpers/scheduling` and
`apimachinery/pkg/labels` of Kubernetes), not from the code under test.
"""

from collections.abc import Mapping
from itertools import product
from typing import Any

from webhook.karl.syntax import Operator, Rule, Selector, Verb

Labels = Mapping[str, str]

VALUES: dict[str, list[str | None]] = {
    "disk": [None, "ssd", "nvme"],
    "cores": [None, "0", "5", "006", "16", "many"],
    "slots": [None, "3", "x"],
    "memory": [None, "1Gi", "2G", "4Gi", "plenty"],
}
NODE_VALUES = {key: [value for value in values if value] for key, values in VALUES.items()}
NODES: list[Labels] = [
    {key: value for key, value in zip(VALUES, values, strict=True) if value}
    for values in product(*VALUES.values())
]
SIZES = {"1Gi": 2**30, "2G": 2 * 10**9, "4Gi": 2**32, "3": 3, "0": 0, "5": 5, "006": 6, "16": 16}


def says(selector: Selector, node: Labels) -> bool | None:
    """Whether a selector holds for a node; None where it compares what is no integer."""
    value = node.get(selector.key.text)
    operands = [word.text for word in selector.values]
    match selector.operator:
        case Operator.EQUAL | Operator.IN:
            return value in operands
        case Operator.NOT_EQUAL | Operator.NOT_IN:
            return value not in operands
        case Operator.HAS:
            return value is not None
        case Operator.NOT_HAS:
            return value is None
    return value is not None and compares(selector.operator, value, operands[0])


def compares(operator: Operator, value: str, operand: str) -> bool | None:
    if not operand.isdigit():
        return value in SIZES and SIZES[value] >= SIZES[operand]
    if not value.isdigit():
        return None
    return {
        Operator.GREATER: int(value) > int(operand),
        Operator.AT_LEAST: int(value) >= int(operand),
        Operator.LESS: int(value) < int(operand),
        Operator.AT_MOST: int(value) <= int(operand),
    }[operator]


def allows(rule: Rule, node: Labels) -> bool:
    """Whether a REQUIRE or AVOID rule lets the pod onto a node."""
    held = [says(selector, node) for selector in rule.selectors]
    return False in held if rule.verb is Verb.AVOID else all(held)


def rewards(rule: Rule, node: Labels) -> bool:
    """Whether a PREFER or REPEL rule gives a node its weight."""
    held = [says(selector, node) for selector in rule.selectors]
    return False in held if rule.verb is Verb.REPEL else all(held)


def admits(affinity: Any, node: Labels) -> bool:
    """Whether the scheduler's filter passes a node: one of the terms matches."""
    required = affinity["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    return any(matches(term, node) for term in required["nodeSelectorTerms"])


def score(affinity: Any, node: Labels) -> int:
    """Return the scheduler's score of a node: the sum of the weights of the terms that match."""
    preferred = affinity["nodeAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    return sum(term["weight"] for term in preferred if matches(term["preference"], node))


def matches(term: Any, node: Labels) -> bool:
    expressions = term["matchExpressions"]
    return bool(expressions) and all(meets(expression, node) for expression in expressions)


def meets(expression: Any, node: Labels) -> bool:
    value = node.get(expression["key"])
    operands = expression.get("values", [])
    match expression["operator"]:
        case "In":
            return value in operands
        case "NotIn":
            return value not in operands
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
    assert expression["operator"] in {"Gt", "Lt"}
    (operand,) = operands
    if value is None or not value.isdigit():
        return False
    return (
        int(value) > int(operand) if expression["operator"] == "Gt" else int(value) < int(operand)
    )
