"""Validation of a core/v1 Affinity, and of other fields with label selectors.

Follows `validateAffinity` in `k8s.io/kubernetes/pkg/apis/core/validation`, without its leniency for
existing objects: label values in preferences are checked too. Null counts as absent, and unknown
fields are accepted unless they are surely misspelt.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from webhook.kube import labels
from webhook.kube.affinity import PREFERRED, REQUIRED
from webhook.kube.affinity_fields import FieldError, find_unknown_fields
from webhook.kube.messages import describe_value, expected_one_of, quote
from webhook.kube.objects import Json

_Check = Callable[[Any, str], Iterator[FieldError]]


def validate_affinity(affinity: object, *, closed: bool = False) -> list[FieldError]:
    """Return the errors of an affinity; with `closed` unknown fields are errors too."""
    return [*find_unknown_fields(affinity, closed=closed), *_AFFINITY(affinity, "")]


def validate_selector(selector: object) -> list[FieldError]:
    """Return the errors of a LabelSelector."""
    return [*_SELECTOR(selector, "")]


def validate_spread(constraints: object) -> list[FieldError]:
    """Return the errors of a list of TopologySpreadConstraints."""
    return [*_SPREAD(constraints, "")]


def _object(fields: Mapping[str, _Check], *required: str) -> _Check:
    def check(value: Any, path: str) -> Iterator[FieldError]:
        if not isinstance(value, dict):
            yield FieldError(path, f"expected a map, found {describe_value(value)}")
            return
        for field, check_field in fields.items():
            if value.get(field) is not None:
                yield from check_field(value[field], f"{path}.{field}")
            elif field in required:
                yield FieldError(f"{path}.{field}", "is missing")

    return check


def _list(check_item: _Check, *, least: int = 0) -> _Check:
    def check(value: Any, path: str) -> Iterator[FieldError]:
        if not isinstance(value, list):
            yield FieldError(path, f"expected a list, found {describe_value(value)}")
            return
        if len(value) < least:
            yield FieldError(path, "must not be empty")
        for index, item in enumerate(value):
            yield from check_item(item, f"{path}[{index}]")

    return check


def _text(wrong: Callable[[str], str | None]) -> _Check:
    def check(value: Any, path: str) -> Iterator[FieldError]:
        if not isinstance(value, str):
            yield FieldError(path, f"expected text, found {describe_value(value)}")
        elif phrase := wrong(value):
            yield FieldError(path, f"{quote(value)} {phrase}")

    return check


def _word(what: str, *choices: str) -> _Check:
    def check(value: Any, path: str) -> Iterator[FieldError]:
        if not isinstance(value, str):
            yield FieldError(path, f"expected text, found {describe_value(value)}")
        elif value not in choices:
            yield FieldError(path, expected_one_of(what, choices, value))

    return check


def _in_turn(*checks: _Check) -> _Check:
    """Run each check only if those before found no errors."""

    def check(value: Any, path: str) -> Iterator[FieldError]:
        for each in checks:
            errors = list(each(value, path))
            yield from errors
            if errors:
                return

    return check


def _weight(value: Any, path: str) -> Iterator[FieldError]:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 100:
        yield FieldError(path, f"expected a weight from 1 to 100, found {describe_value(value)}")


def _count(value: Any, path: str) -> Iterator[FieldError]:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        yield FieldError(path, f"expected a number from 1, found {describe_value(value)}")


def _match_labels(value: Any, path: str) -> Iterator[FieldError]:
    yield from _object({})(value, path)
    for key, text in value.items() if isinstance(value, dict) else ():
        yield from _LABEL_KEY(key, path)
        yield from _LABEL_VALUE(text, f"{path}[{describe_value(key)}]")


def _operands(requirement: Json, path: str) -> Iterator[FieldError]:
    operator, values = requirement["operator"], requirement.get("values") or []
    if operator in ("In", "NotIn") and not values:
        yield FieldError(f"{path}.values", f"must not be empty with the operator {operator}")
    if operator in ("Exists", "DoesNotExist") and values:
        yield FieldError(f"{path}.values", f"must be empty with the operator {operator}")
    if operator in ("Gt", "Lt") and not (len(values) == 1 and _is_int64(values[0])):
        yield FieldError(f"{path}.values", f"must be one integer with the operator {operator}")


def _one_operand(requirement: Json, path: str) -> Iterator[FieldError]:
    if len(requirement.get("values") or []) != 1:
        yield FieldError(f"{path}.values", "must be exactly one for a field of the node")


def _label_keys(term: Json, path: str) -> Iterator[FieldError]:
    selector = term.get("labelSelector")
    matched, mismatched = (
        term.get(field) or [] for field in ("matchLabelKeys", "mismatchLabelKeys")
    )
    if selector is None:
        if matched or mismatched:
            yield FieldError(f"{path}.labelSelector", "is missing beside label keys to match")
        return
    expressions = selector.get("matchExpressions") or []
    selected = {*(selector.get("matchLabels") or {}), *(each["key"] for each in expressions)}
    mismatched_keys = {*mismatched}
    for index, key in enumerate(matched):
        if key in mismatched_keys:
            yield FieldError(f"{path}.matchLabelKeys[{index}]", "is among mismatchLabelKeys too")
        if key in selected:
            yield FieldError(f"{path}.matchLabelKeys[{index}]", "is in labelSelector too")


def _is_int64(text: str) -> bool:
    return bool(re.fullmatch("[0-9]{1,19}", text)) and int(text) < 2**63


def _requirement(key: _Check, value: _Check, *operators: str) -> _Check:
    fields = {"key": key, "operator": _word("operator", *operators), "values": _list(value)}
    return _object(fields, "key", "operator")


_SETS = ("In", "NotIn")
_EXISTENCE = ("Exists", "DoesNotExist")
_LABEL_KEY, _LABEL_VALUE = _text(labels.check_key), _text(labels.check_value)
_POD_EXPRESSION = _requirement(_LABEL_KEY, _LABEL_VALUE, *_SETS, *_EXISTENCE)
_NODE_EXPRESSION = _requirement(_LABEL_KEY, _LABEL_VALUE, *_SETS, *_EXISTENCE, "Gt", "Lt")
_NODE_FIELD = _requirement(_word("field", "metadata.name"), _text(labels.check_subdomain), *_SETS)

_SELECTOR = _object(
    {
        "matchLabels": _match_labels,
        "matchExpressions": _list(_in_turn(_POD_EXPRESSION, _operands)),
    }
)
_POD_TERM = _in_turn(
    _object(
        {
            "labelSelector": _SELECTOR,
            "namespaceSelector": _SELECTOR,
            "namespaces": _list(_text(labels.check_namespace)),
            "topologyKey": _LABEL_KEY,
            "matchLabelKeys": _list(_LABEL_KEY),
            "mismatchLabelKeys": _list(_LABEL_KEY),
        },
        "topologyKey",
    ),
    _label_keys,
)
_WEIGHTED_POD_TERM = _object(
    {"weight": _weight, "podAffinityTerm": _POD_TERM}, "weight", "podAffinityTerm"
)
_POD_TERMS = _object({REQUIRED: _list(_POD_TERM), PREFERRED: _list(_WEIGHTED_POD_TERM)})
_NODE_TERM = _object(
    {
        "matchExpressions": _list(_in_turn(_NODE_EXPRESSION, _operands)),
        "matchFields": _list(_in_turn(_NODE_FIELD, _one_operand)),
    }
)
_NODE_SELECTOR = _object({"nodeSelectorTerms": _list(_NODE_TERM, least=1)}, "nodeSelectorTerms")
_WEIGHTED_NODE_TERM = _object({"weight": _weight, "preference": _NODE_TERM}, "weight")
_NODE_TERMS = _object({REQUIRED: _NODE_SELECTOR, PREFERRED: _list(_WEIGHTED_NODE_TERM)})
_AFFINITY = _object(
    {"nodeAffinity": _NODE_TERMS, "podAffinity": _POD_TERMS, "podAntiAffinity": _POD_TERMS}
)
_POLICY = _word("policy", "Honor", "Ignore")
_SPREAD = _list(
    _object(
        {
            "maxSkew": _count,
            "topologyKey": _LABEL_KEY,
            "whenUnsatisfiable": _word("action", "DoNotSchedule", "ScheduleAnyway"),
            "labelSelector": _SELECTOR,
            "minDomains": _count,
            "nodeAffinityPolicy": _POLICY,
            "nodeTaintsPolicy": _POLICY,
            "matchLabelKeys": _list(_LABEL_KEY),
        },
        *("maxSkew", "topologyKey", "whenUnsatisfiable"),
    )
)
