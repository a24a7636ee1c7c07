"""`AtLeast` and `NotAtLeast`: node expressions over quantities, which Kubernetes has not.

The scheduler's `Gt` compares integers only. So `memory=64Gi+` is kept as an expression with the
operator `AtLeast` until a pod arrives, and becomes an `In` over the values that the label has
on the cluster's nodes just then.
"""

import re
from collections.abc import Collection, Iterator
from decimal import Decimal
from typing import Any, TypeVar, cast

from kube import labels, quantity
from webhook.model import Json, NodeValues, Settings

AT_LEAST = "AtLeast"
NOT_AT_LEAST = "NotAtLeast"

_OPERATORS = {AT_LEAST: "In", NOT_AT_LEAST: "NotIn"}
_LARGEST_INTEGER = 2**63 - 1  # the scheduler parses the operand of Gt as an int64

T = TypeVar("T")


def is_selector(value: str) -> bool:
    """Whether a node selector's value is a minimum, `16+` or `64Gi+`, and a sound one."""
    if not value.endswith("+"):
        return False
    try:
        expression("", value[:-1])
    except ValueError:
        return False
    return True


def expression(key: str, minimum: str) -> Json:
    """Return the node expression for "the label is at least this".

    `16` is `Gt 15`, and `64Gi` is `AtLeast 64Gi`. So is `0`, because `Gt -1` is refused: a label
    value cannot begin with a minus.

    Raises:
        ValueError: the minimum is no quantity, or one that no label can have; the message is a
            phrase to go behind the quoted text.

    """
    if re.fullmatch("[0-9]{1,19}", minimum) and 0 < int(minimum) <= _LARGEST_INTEGER:
        return {"key": key, "operator": "Gt", "values": [str(int(minimum) - 1)]}
    quantity.parse(minimum)
    if wrong := labels.check_value(minimum):
        raise ValueError(wrong)
    return {"key": key, "operator": AT_LEAST, "values": [minimum]}


def expand(node: T, node_values: NodeValues) -> T:
    """Write Kubernetes' own operators for ours, anywhere in an affinity or a part of one.

    `node_values` has the values of each label key on the cluster's nodes. The written minimum
    is always among the values, so that the expression is valid on an empty cluster. What holds
    none of our operators is returned as it is, not copied.
    """
    return cast("T", _expand(node, node_values))


def keys(settings: Settings) -> frozenset[str]:
    """Return the label keys whose values on the nodes `expand` will ask for."""
    found = _find([settings.affinity, settings.node_requirements])
    return frozenset(expression["key"] for expression in found)


def _expand(node: Any, node_values: NodeValues) -> Any:
    if _is_ours(node):
        values = _at_least(node["values"][0], node_values.get(node["key"], ()))
        return node | {"operator": _OPERATORS[node["operator"]], "values": values}
    if isinstance(node, dict):
        changed = {
            key: after
            for key, before in node.items()
            if (after := _expand(before, node_values)) is not before
        }
        return node | changed if changed else node
    if isinstance(node, list):
        items = [_expand(item, node_values) for item in node]
        same = all(after is before for after, before in zip(items, node, strict=True))
        return node if same else items
    return node


def _find(node: Any) -> Iterator[Json]:
    if _is_ours(node):
        yield node
    elif isinstance(node, dict | list):
        for child in node.values() if isinstance(node, dict) else node:
            yield from _find(child)


def _is_ours(node: Any) -> bool:
    # matchLabels may well have a label named operator; its values are texts, not lists
    return (
        isinstance(node, dict)
        and node.get("operator") in _OPERATORS
        and isinstance(node.get("values"), list)
    )


def _at_least(minimum: str, values: Collection[str]) -> list[str]:
    least = quantity.parse(minimum)
    sized = {minimum: least}
    for value in values:
        if (size := _size(value)) is not None and size >= least:
            sized[value] = size
    return sorted(sized, key=lambda value: (sized[value], value))


def _size(value: str) -> Decimal | None:
    try:
        return quantity.parse(value)
    except ValueError:
        return None
