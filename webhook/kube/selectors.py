"""Label selectors and node selector terms, matched as Kubernetes does.

Follows `Requirement.Matches` in `k8s.io/apimachinery/pkg/labels` and `nodeaffinity.go` in
`k8s.io/component-helpers/scheduling/corev1`. A selector that the API server would reject matches
nothing.
"""

import re
from collections.abc import Iterator, Mapping

from webhook.kube.objects import Json, labels_of, name_of

Labels = Mapping[str, str]

_FORMATS = {
    "In": "{key} in ({values})",
    "NotIn": "{key} notin ({values})",
    "Exists": "{key}",
    "DoesNotExist": "!{key}",
}
"""The set-based selectors of kubectl."""

_INTEGER = re.compile("[+-]?[0-9]+")
_MAX_INTEGER_CHARACTERS = 20  # a sign and 19 digits


def label_selector_matches(selector: Json | None, labels: Labels) -> bool:
    """Return whether a LabelSelector matches: an absent one nothing, an empty one everything."""
    if selector is None:
        return False
    wanted: dict[str, str] = selector.get("matchLabels") or {}
    return wanted.items() <= labels.items() and all(
        expression_matches(expression, labels)
        for expression in selector.get("matchExpressions") or ()
    )


def list_requirements(selector: Json) -> Iterator[Json]:
    """Yield the requirements of a LabelSelector, all in the form of `matchExpressions`."""
    for key, value in (selector.get("matchLabels") or {}).items():
        yield {"key": key, "operator": "In", "values": [value]}
    yield from selector.get("matchExpressions") or ()


def format_label_selector(selector: Json) -> str:
    """Return a LabelSelector as the query parameter `labelSelector`; an empty one selects all."""
    return ",".join(map(format_requirement, list_requirements(selector)))


def format_requirement(requirement: Json) -> str:
    """Return a requirement as in `kubectl get -l`, such as `team=a` or `team notin (a,b)`."""
    key, operator = requirement["key"], requirement["operator"]
    values = requirement.get("values") or []
    if operator == "In" and len(values) == 1:
        return f"{key}={values[0]}"
    return _FORMATS[operator].format(key=key, values=",".join(values))


def expression_matches(expression: Json, labels: Labels) -> bool:
    """Return whether one requirement of a LabelSelector or NodeSelectorTerm matches."""
    value = labels.get(expression["key"])
    operands = expression.get("values") or []
    match expression["operator"]:
        case "In":
            return value in operands
        case "NotIn":
            return value not in operands
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt" | "Lt" as operator:
            numbers = [_parse_int64(text) for text in (value, *operands)]
            match numbers:
                case [int(found), int(operand)]:
                    return found > operand if operator == "Gt" else found < operand
    return False


def node_selector_term_matches(term: Json, node: Json) -> bool:
    """Return whether a NodeSelectorTerm matches a node; an empty term matches none."""
    expressions, fields = (term.get(part) or [] for part in ("matchExpressions", "matchFields"))
    return (
        bool(expressions or fields)
        and all(expression_matches(expression, labels_of(node)) for expression in expressions)
        and all(_field_matches(field, node) for field in fields)
    )


def _field_matches(field: Json, node: Json) -> bool:
    valid = field["operator"] in ("In", "NotIn") and len(field.get("values") or ()) == 1
    return valid and expression_matches(field, {"metadata.name": name_of(node)})


def _parse_int64(text: str | None) -> int | None:
    """Parse an int64 as Go does, or return None."""
    if text is None or not _INTEGER.fullmatch(text):
        return None
    # Python refuses to parse numbers of more than 4300 digits
    number = int(text) if len(text) <= _MAX_INTEGER_CHARACTERS else 2**64
    return number if -(2**63) <= number < 2**63 else None
