"""Whether labels are what a selector asks for.

After `Requirement.Matches` in `k8s.io/apimachinery/pkg/labels` and `nodeaffinity.go` in
`k8s.io/component-helpers/scheduling/corev1`. What the API server would have refused matches
nothing.
"""

import re
from collections.abc import Mapping

from webhook.kube.objects import Json, labels_of, name_of

Labels = Mapping[str, str]

_INTEGER = re.compile("[+-]?[0-9]+")


def selects(selector: Json | None, labels: Labels) -> bool:
    """Whether a LabelSelector selects; a missing one selects nothing, an empty one everything."""
    if selector is None:
        return False
    wanted: dict[str, str] = selector.get("matchLabels") or {}
    return wanted.items() <= labels.items() and all(
        holds(expression, labels) for expression in selector.get("matchExpressions") or ()
    )


def holds(expression: Json, labels: Labels) -> bool:
    """Whether one expression holds, of a LabelSelector or of a node selector term."""
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
            numbers = [_integer(text) for text in (value, *operands)]
            match numbers:
                case [int(found), int(operand)]:
                    return found > operand if operator == "Gt" else found < operand
    return False


def selects_node(term: Json, node: Json) -> bool:
    """Whether a NodeSelectorTerm selects a node; an empty one selects none."""
    expressions, fields = (term.get(part) or [] for part in ("matchExpressions", "matchFields"))
    return (
        bool(expressions or fields)
        and all(holds(expression, labels_of(node)) for expression in expressions)
        and all(_field_holds(field, node) for field in fields)
    )


def _field_holds(expression: Json, node: Json) -> bool:
    sound = expression["operator"] in ("In", "NotIn") and len(expression.get("values") or ()) == 1
    return sound and holds(expression, {"metadata.name": name_of(node)})


def _integer(text: str | None) -> int | None:
    """Read an int64 as Go does; None where it is none."""
    if text is None or not _INTEGER.fullmatch(text):
        return None
    number = int(text) if len(text) <= 20 else 2**64  # Python reads no number of any length
    return number if -(2**63) <= number < 2**63 else None
