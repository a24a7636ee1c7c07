"""`AtLeast` and `NotAtLeast`: operators for node labels that are quantities.

Kubernetes' `Gt` compares integers only. So `memory=64Gi+` stays an expression with the operator
`AtLeast` until a pod is created, and is then expanded to `In` over the values that the label has on
the cluster's nodes.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from functools import lru_cache
from itertools import takewhile
from typing import Any, TypeVar, cast

from webhook.kube import labels, quantity
from webhook.kube.affinity import PREFERRED, REQUIRED
from webhook.kube.objects import Json
from webhook.model import NodeValues, Settings

AT_LEAST = "AtLeast"
NOT_AT_LEAST = "NotAtLeast"

MAX_INTEGER = 2**63 - 1
"""kube-scheduler parses labels, and the operands of `Gt` and `Lt`, as int64."""

_OPERATORS = {AT_LEAST: "In", NOT_AT_LEAST: "NotIn"}
_MINIMUMS = {operator: minimum for minimum, operator in _OPERATORS.items()}
_PATH_FIELDS = frozenset(
    {
        "nodeAffinity",
        REQUIRED,
        PREFERRED,
        "nodeSelectorTerms",
        "preference",
        "matchExpressions",
    }
)
"""The fields of an affinity on the path to node expressions. Unknown fields are not searched, even
if their content looks like such an expression."""

T = TypeVar("T")


def is_minimum(value: str) -> bool:
    """Return whether the value of a nodeSelector entry is a valid minimum: `16+` or `64Gi+`."""
    return read_minimum("", value) is not None


def read_minimum(key: str, value: str) -> Json | None:
    """Return the node expression for an entry of a nodeSelector; None if it is not a minimum."""
    if not value.endswith("+") or len(value) > labels.MAX_NAME_LENGTH:
        return None
    try:
        return to_expression(key, value[:-1])
    except ValueError:
        return None


def to_expression(key: str, minimum: str) -> Json:
    """Return the node expression for a label that is at least `minimum`.

    `16` becomes `Gt 15` and `64Gi` becomes `AtLeast 64Gi`. So does `0`, because the API server
    rejects `Gt -1`: a label value cannot begin with a minus.

    Raises:
        ValueError: the minimum is not a quantity or not a label value. The message is a phrase
            that follows the quoted text.

    """
    if re.fullmatch("[0-9]{1,19}", minimum) and 0 < int(minimum) <= MAX_INTEGER:
        return {"key": key, "operator": "Gt", "values": [str(int(minimum) - 1)]}
    quantity.parse(minimum)
    if wrong := labels.check_value(minimum):
        raise ValueError(wrong)
    return {"key": key, "operator": AT_LEAST, "values": [minimum]}


def minimum_of(expression: Json) -> str:
    """Return the minimum of an expression of `to_expression`."""
    (value,) = expression["values"]
    return str(int(value) + 1) if expression["operator"] == "Gt" else str(value)


def join_selector(node_selector: dict[str, str], requirements: Iterable[Json]) -> dict[str, str]:
    """Return a node selector with its minimums as they are written, `16+`."""
    return node_selector | {each["key"]: f"{minimum_of(each)}+" for each in requirements}


def expand(node: T, node_values: NodeValues) -> T:
    """Replace `AtLeast` and `NotAtLeast` by `In` and `NotIn` in an affinity or a part of one.

    The values are those of `node_values`, the labels of the cluster's nodes, and always the
    minimum itself, so that the expression is valid on an empty cluster. An object without these
    operators is returned itself, not a copy.
    """
    return cast("T", _expand(node, node_values))


def count_values(node: Any, node_values: NodeValues) -> int:
    """Return the number of values that `expand` puts into a part of an affinity, about."""
    count = 0
    for each in _find_expressions(node):
        sizes, _ = _sort_by_size(frozenset(node_values.get(each["key"], ())))
        least = quantity.parse(each["values"][0])
        count += len(sizes) - bisect_left(sizes, (least, "")) + 1
    return count


def is_minimum_expression(node: Any) -> bool:
    """Return whether this is a valid expression with one of these operators."""
    if not isinstance(node, dict):
        return False
    operator = node.get("operator")
    if not isinstance(operator, str) or operator not in _OPERATORS:
        return False
    match node.get("key"), node.get("values"):
        case str(), [str() as minimum]:
            return _parse_size(minimum) is not None
    return False


def list_minimums(expression: Json) -> Iterator[Json]:
    """Yield the minimums that expand to an expression, over the nodes of now or of any time.

    There are several if nodes have the same amount in several spellings, `64Gi` and `65536Mi`.
    """
    operator = _MINIMUMS.get(expression["operator"])
    values = expression.get("values") or ()
    if operator is None or not values or not _is_sorted(values):
        return
    least = _parse_size(values[0])
    for value in takewhile(lambda value: _parse_size(value) == least, values):
        yield expression | {"operator": operator, "values": [value]}


def label_keys(*settings: Settings) -> frozenset[str]:
    """Return the label keys whose node values `expand` needs, for all of these settings."""
    of_roles = [own for each in settings for own in each.roles.values()]
    compared: list[Any] = [[each.affinity, each.node_requirements] for each in settings]
    compared += [[each.affinity, each.node_requirements] for each in of_roles]
    found = _find_expressions(compared)
    return frozenset(expression["key"] for expression in found)


def label_values(nodes: Iterable[Mapping[str, str]], keys: Iterable[str]) -> NodeValues:
    """Return the values of labels on `nodes`, which are given by their labels."""
    values: dict[str, set[str]] = {key: set() for key in keys}
    for node_labels in nodes:
        for key in values.keys() & node_labels.keys():
            values[key].add(node_labels[key])
    return {key: frozenset(each) for key, each in values.items()}


def _expand(node: Any, node_values: NodeValues) -> Any:
    if is_minimum_expression(node):
        values = _select_values(node["values"][0], frozenset(node_values.get(node["key"], ())))
        return node | {"operator": _OPERATORS[node["operator"]], "values": values}
    if isinstance(node, dict):
        changed = {
            key: after
            for key, before in node.items()
            if key in _PATH_FIELDS and (after := _expand(before, node_values)) is not before
        }
        return node | changed if changed else node
    if isinstance(node, list):
        items = [_expand(item, node_values) for item in node]
        same = all(after is before for after, before in zip(items, node, strict=True))
        return node if same else items
    return node


def _find_expressions(node: Any) -> Iterator[Json]:
    if is_minimum_expression(node):
        yield node
    elif isinstance(node, dict):
        for key in _PATH_FIELDS & node.keys():
            yield from _find_expressions(node[key])
    elif isinstance(node, list):
        for child in node:
            yield from _find_expressions(child)


def _select_values(minimum: str, values: frozenset[str]) -> list[str]:
    """Return the values that are at least as large, and the minimum, from the smallest on."""
    sizes, texts = _sort_by_size(values)
    least = quantity.parse(minimum)
    begin = bisect_left(sizes, (least, ""))
    place = bisect_left(sizes, (least, minimum))
    rest = texts[place:]
    return [*texts[begin:place], *(rest if minimum in values else [minimum, *rest])]


@lru_cache(maxsize=256)
def _sort_by_size(values: frozenset[str]) -> tuple[list[tuple[Decimal, str]], list[str]]:
    """Return those values that are quantities, from the smallest on: with their sizes, and alone.

    Many pods come between two changes of nodes, and a frozenset computes its hash only once.
    """
    sized = sorted((size, value) for value in values if (size := _parse_size(value)) is not None)
    return sized, [value for _, value in sized]


def _is_sorted(values: Iterable[str]) -> bool:
    """Return whether these are quantities, each once, from the smallest on."""
    before: tuple[Decimal, str] | None = None
    for value in values:
        size = _parse_size(value)
        if size is None or (before is not None and before >= (size, value)):
            return False
        before = size, value
    return True


def _parse_size(value: str) -> Decimal | None:
    if len(value) > labels.MAX_NAME_LENGTH:
        return None
    try:
        return quantity.parse(value)
    except ValueError:
        return None
