"""Conversion of selectors to Kubernetes' expressions, `{"key", "operator", "values"}`.

Two operators are KARL's own, `AtLeast` and `NotAtLeast`; `webhook.karl.minimums` expands them.
"""

from webhook.karl import minimums
from webhook.karl.minimums import AT_LEAST, NOT_AT_LEAST
from webhook.karl.syntax import Operator, Selector
from webhook.kube.objects import Json

_OPERATORS = {
    Operator.EQUAL: "In",
    Operator.NOT_EQUAL: "NotIn",
    Operator.IN: "In",
    Operator.NOT_IN: "NotIn",
    Operator.HAS: "Exists",
    Operator.NOT_HAS: "DoesNotExist",
    Operator.GREATER: "Gt",
    Operator.LESS: "Lt",
}
_OPPOSITES = {
    "In": "NotIn",
    "NotIn": "In",
    "Exists": "DoesNotExist",
    "DoesNotExist": "Exists",
    AT_LEAST: NOT_AT_LEAST,
    NOT_AT_LEAST: AT_LEAST,
}


def to_expression(selector: Selector) -> Json:
    """Return the expression of a selector that `webhook.karl.check` has validated."""
    key, operator = selector.key.text, selector.operator
    values = [value.text for value in selector.values]
    if operator is Operator.AT_LEAST:
        return minimums.to_expression(key, values[0])
    if operator is Operator.AT_MOST:
        return _to_comparison(key, "Lt", int(values[0]) + 1)
    if operator in {Operator.GREATER, Operator.LESS}:
        return _to_comparison(key, _OPERATORS[operator], int(values[0]))
    found: Json = {"key": key, "operator": _OPERATORS[operator]}
    return found | {"values": values} if values else found


def negate(expression: Json) -> list[Json]:
    """Return the negation of an expression, as ORed expressions that exclude each other.

    The negation of `Gt` is a smaller label or none. A label that is not an integer matches
    neither, as in kube-scheduler.
    """
    key, operator = expression["key"], expression["operator"]
    if operator in _OPPOSITES:
        return [expression | {"operator": _OPPOSITES[operator]}]
    operand = int(expression["values"][0])
    other = ("Lt", operand + 1) if operator == "Gt" else ("Gt", operand - 1)
    return [_to_comparison(key, *other), {"key": key, "operator": "DoesNotExist"}]


def _to_comparison(key: str, operator: str, operand: int) -> Json:
    return {"key": key, "operator": operator, "values": [str(operand)]}
