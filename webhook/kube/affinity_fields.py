"""Detection of fields that core/v1 does not have: newer fields, or mistakes.

An API server prunes unknown fields from a Plan, but nothing prunes a file. There a misspelt
`matchExpression` would leave an empty term, which no node matches, and `labelSelector: {app: web}`
an empty selector, which matches all pods.

An unknown field may be one of a newer release, unless it is surely misspelt, or is a field of
another object in an affinity, or is in a label selector: that cannot get a field, because clients
that do not know it would match more than was meant.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from webhook.kube.affinity import PREFERRED, REQUIRED
from webhook.kube.messages import correct_spelling, did_you_mean, join_with_or, quote, suggest
from webhook.kube.sizes import MAX_UNKNOWN_FIELDS

MAX_DEPTH = 64
"""Maximum nesting of lists and maps, because they are walked recursively; core/v1 needs ten."""


class FieldError(NamedTuple):
    """An invalid field."""

    path: str
    """`.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey`."""
    message: str


class _Fields(NamedTuple):
    """The known fields of an object; a scalar field has None."""

    known: Mapping[str, "_Fields | None"]
    closed: bool = False
    """True if no release can add a field."""


class _Unknown(NamedTuple):
    """A field of an object that core/v1 does not have there."""

    path: str
    """Of the object."""
    field: str
    value: Any
    fields: _Fields


_REQUIREMENT = _Fields(dict.fromkeys(("key", "operator", "values")))
_SELECTOR = _Fields({"matchLabels": None, "matchExpressions": _REQUIREMENT}, closed=True)
_POD_TERM = _Fields(
    {
        "labelSelector": _SELECTOR,
        "namespaceSelector": _SELECTOR,
        **dict.fromkeys(("namespaces", "topologyKey", "matchLabelKeys", "mismatchLabelKeys")),
    }
)
_POD_TERMS = _Fields(
    {REQUIRED: _POD_TERM, PREFERRED: _Fields({"weight": None, "podAffinityTerm": _POD_TERM})}
)
_NODE_TERM = _Fields({"matchExpressions": _REQUIREMENT, "matchFields": _REQUIREMENT})
_NODE_TERMS = _Fields(
    {
        REQUIRED: _Fields({"nodeSelectorTerms": _NODE_TERM}),
        PREFERRED: _Fields({"weight": None, "preference": _NODE_TERM}),
    }
)
AFFINITY = _Fields(
    {"nodeAffinity": _NODE_TERMS, "podAffinity": _POD_TERMS, "podAntiAffinity": _POD_TERMS}
)
_WRAPPER = "affinity"
"""The field of a pod's spec, which a Plan's affinity does not have around it."""


def _find_parents(fields: _Fields, parent: str) -> Iterator[tuple[str, str]]:
    for name, below in fields.known.items():
        yield name, parent
        if below:
            yield from _find_parents(below, name)


_PARENTS: dict[str, dict[str, None]] = {}
"""The fields of an affinity, and the fields whose objects have them."""
for _name, _parent in _find_parents(AFFINITY, _WRAPPER):
    _PARENTS.setdefault(_name, {})[_parent] = None


def find_unknown_fields(affinity: object, *, closed: bool) -> Iterator[FieldError]:
    """Yield the unknown fields of an affinity that are mistakes, or with `closed` all of them."""
    if _is_too_deep(affinity):
        yield FieldError("", f"is nested more than {MAX_DEPTH} levels deep")
        return
    for index, unknown in enumerate(_find_unknown(affinity, AFFINITY, "")):
        if index == MAX_UNKNOWN_FIELDS:
            yield FieldError(
                "",
                f"has more than {MAX_UNKNOWN_FIELDS} unknown fields: expected a core/v1 Affinity",
            )
            return
        field, fields = unknown.field, unknown.fields
        if closed or fields.closed or _is_mistake(field, fields):
            yield FieldError(unknown.path, _describe(field, unknown.value, fields))


def describe_unknown_field(field: str, known: Mapping[str, object]) -> str:
    """Return the message for an unknown field, with the known fields and a likely correction."""
    meant = correct_spelling(field, known)
    hint = suggest(meant) if meant else did_you_mean(field, known)
    return f"unknown field {quote(field)}: expected {join_with_or(sorted(known))}{hint}"


def _find_unknown(value: Any, fields: _Fields, path: str) -> Iterator[_Unknown]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _find_unknown(item, fields, f"{path}[{index}]")
    elif isinstance(value, dict):
        for name, member in value.items():
            field = str(name)
            if field not in fields.known:
                yield _Unknown(path, field, member, fields)
            elif below := fields.known[field]:
                yield from _find_unknown(member, below, f"{path}.{field}")


def _is_mistake(field: str, fields: _Fields) -> bool:
    return field in {*_PARENTS, _WRAPPER} or correct_spelling(field, fields.known) is not None


def _describe(field: str, value: Any, fields: _Fields) -> str:
    """Return the message for an unknown field, with the place where it is known."""
    if correct_spelling(field, fields.known):
        return describe_unknown_field(field, fields.known)
    expected = f"unknown field {quote(field)}: expected {join_with_or(sorted(fields.known))}"
    if field == _WRAPPER:
        return f"{expected}; leave out {quote(field)} and keep what is in it"
    if field in _PARENTS:
        return f"{expected}; {quote(field)} is a field of {join_with_or(_PARENTS[field])}"
    if fields is _SELECTOR and isinstance(value, str):
        return f"{expected}{suggest(f'matchLabels: {{{field}: {value}}}')}"
    return describe_unknown_field(field, fields.known)


def _is_too_deep(value: object) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for each in level
            if isinstance(each, dict | list)
            for child in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return False
    return True
