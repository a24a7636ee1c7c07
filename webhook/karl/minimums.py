"""`AtLeast` and `NotAtLeast`: node expressions over quantities, which Kubernetes has not.

The scheduler's `Gt` compares integers only. So `memory=64Gi+` is kept as an expression with the
operator `AtLeast` until a pod arrives, and becomes an `In` over the values that the label has
on the cluster's nodes just then.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, TypeVar, cast

from webhook.kube import labels, quantity
from webhook.kube.objects import Json
from webhook.model import NodeValues, Settings

AT_LEAST = "AtLeast"
NOT_AT_LEAST = "NotAtLeast"

_OPERATORS = {AT_LEAST: "In", NOT_AT_LEAST: "NotIn"}
_WAY = frozenset(
    {
        "nodeAffinity",
        "requiredDuringSchedulingIgnoredDuringExecution",
        "preferredDuringSchedulingIgnoredDuringExecution",
        "nodeSelectorTerms",
        "preference",
        "matchExpressions",
    }
)
"""The fields of an affinity that lead to node expressions. An affinity may have fields that nobody
here knows, and what is in those is none of ours, whatever it looks like."""
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
    """Write Kubernetes' own operators for ours, in the node expressions of an affinity or its part.

    `node_values` has the values of each label key on the cluster's nodes. The written minimum
    is always among the values, so that the expression is valid on an empty cluster. What holds
    none of our operators is returned as it is, not copied.
    """
    return cast("T", _expand(node, node_values))


def is_expansion(expression: Json, minimum: Json) -> bool:
    """Return whether `expression` is `minimum` expanded, over the nodes of now or of any time."""
    values = expression.get("values") or ()
    return _is_ours(minimum) and expression == expand(minimum, {expression["key"]: values})


def keys(settings: Settings) -> frozenset[str]:
    """Return the label keys whose values on the nodes `expand` will ask for."""
    found = _find([settings.affinity, settings.node_requirements])
    return frozenset(expression["key"] for expression in found)


def label_values(nodes: Iterable[Mapping[str, str]], label_keys: Iterable[str]) -> NodeValues:
    """Return the values that these labels have on `nodes`, each given by its labels."""
    found: dict[str, set[str]] = {key: set() for key in label_keys}
    for node_labels in nodes:
        for key in found.keys() & node_labels.keys():
            found[key].add(node_labels[key])
    return found


def _expand(node: Any, node_values: NodeValues) -> Any:
    if _is_ours(node):
        values = _at_least(node["values"][0], node_values.get(node["key"], ()))
        return node | {"operator": _OPERATORS[node["operator"]], "values": values}
    if isinstance(node, dict):
        changed = {
            key: after
            for key, before in node.items()
            if key in _WAY and (after := _expand(before, node_values)) is not before
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
    elif isinstance(node, dict):
        for key in _WAY & node.keys():
            yield from _find(node[key])
    elif isinstance(node, list):
        for child in node:
            yield from _find(child)


def _is_ours(node: Any) -> bool:
    """Whether this is an expression that we have made; fields nobody knows may look nearly so."""
    if not isinstance(node, dict):
        return False
    operator = node.get("operator")
    if not isinstance(operator, str) or operator not in _OPERATORS:
        return False
    match node.get("key"), node.get("values"):
        case str(), [str() as minimum]:
            return _size(minimum) is not None
    return False


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
