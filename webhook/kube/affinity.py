"""Two core/v1 affinities as one, and pod terms that look into all namespaces.

Affinities stay JSON objects, with the fields that nobody here knows. Arguments are never
changed; results share parts with them.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import msgspec

from webhook.kube.objects import Json

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
MAX_NODE_TERMS = 64
"""Terms are ORed, so those of two lists multiply; the scheduler tries each on each node."""

_Conditions = frozenset[tuple[str, bytes]]
_Joins = Mapping[str, Callable[[Any, Any], Any]]


def merge_affinities(first: Json, second: Json) -> Json:
    """Ask for both: pod terms and preferences of both, each once, required node terms ANDed.

    Raises:
        ValueError: that makes more than 64 required node terms.

    """
    return _join(first, second, _AFFINITY)


def and_node_terms(terms: list[Json], others: list[Json]) -> list[Json]:
    """AND two lists of ORed nodeSelectorTerms: their product, without what it can spare.

    A term that implies one of the others stays as it is, so ANDing the same again changes
    nothing. An empty term stays too: it matches no node, and neither does an empty list.

    Raises:
        ValueError: that makes more than 64 terms.

    """
    asked = [(other, _conditions(other)) for other in others]
    kept: list[Json] = []
    products: list[tuple[Json, _Conditions]] = []
    for term in terms:
        mine = _conditions(term)
        if any(_implies(mine, theirs) for _, theirs in asked):
            kept.append(term)
            continue
        for other, theirs in asked:
            product = (_both(term, other), mine | theirs) if theirs else (other, theirs)
            products = _with(products, product)
            if len(products) > MAX_NODE_TERMS:
                raise ValueError(f"makes more than {MAX_NODE_TERMS} required node terms")
    return kept + [product for product, _ in products]


def omit_empty_fields(affinity: Json) -> Json:
    """Leave out what means as much when it is absent: null, and empty lists and labels.

    Go does so too when Forklift writes a plan's affinity into a pod.
    """
    found: Json = _bare(affinity)
    return found


def default_to_all_namespaces(affinity: Json) -> Json:
    """Let the pod terms that name no namespace look into all; the same object if there are none."""
    widened = {
        kind: after
        for kind in ("podAffinity", "podAntiAffinity")
        if (before := affinity.get(kind)) and (after := _widen_kind(before)) is not before
    }
    return affinity | widened if widened else affinity


def default_term_to_all_namespaces(term: Json) -> Json:
    """Let a podAffinityTerm look into all namespaces, unless it says where it looks."""
    if term.get("namespaces") or term.get("namespaceSelector") is not None:
        return term
    return term | {"namespaceSelector": {}}


def _bare(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            field: _bare(member)
            for field, member in value.items()
            if member not in (None, []) and not (field == "matchLabels" and not member)
        }
    return [_bare(item) for item in value] if isinstance(value, list) else value


def _widen_kind(kind: Json) -> Json:
    required = kind.get(REQUIRED) or []
    preferred = kind.get(PREFERRED) or []
    wide = [default_term_to_all_namespaces(term) for term in required]
    wide_preferred = [
        weighted | {"podAffinityTerm": default_term_to_all_namespaces(weighted["podAffinityTerm"])}
        for weighted in preferred
    ]
    changed: Json = {}
    if wide != required:
        changed[REQUIRED] = wide
    if wide_preferred != preferred:
        changed[PREFERRED] = wide_preferred
    return kind | changed if changed else kind


def _join(first: Json, second: Json, joins: _Joins) -> Json:
    """Take the fields of both objects, first's before second's, and join what both have."""
    joined = dict(first)
    for field, theirs in second.items():
        mine = first.get(field)
        if mine is None:
            joined[field] = theirs
        elif theirs is not None and field in joins:
            joined[field] = joins[field](mine, theirs)
    return joined


def _each_once(first: list[Json], second: list[Json]) -> list[Json]:
    joined, seen = list(first), {_canonical(item) for item in first}
    for item in second:
        if (form := _canonical(item)) not in seen:
            seen.add(form)
            joined.append(item)
    return joined


def _and_selectors(first: Json, second: Json) -> Json:
    lists = (selector.get("nodeSelectorTerms") or [] for selector in (first, second))
    return {**second, **first, "nodeSelectorTerms": and_node_terms(*lists)}


_POD_JOINS: _Joins = {REQUIRED: _each_once, PREFERRED: _each_once}
_NODE_JOINS: _Joins = {
    REQUIRED: _and_selectors,
    PREFERRED: _each_once,
}
_AFFINITY: _Joins = {
    "nodeAffinity": partial(_join, joins=_NODE_JOINS),
    "podAffinity": partial(_join, joins=_POD_JOINS),
    "podAntiAffinity": partial(_join, joins=_POD_JOINS),
}


def _both(term: Json, other: Json) -> Json:
    return _join(term, other, {"matchExpressions": _each_once, "matchFields": _each_once})


def _conditions(term: Json) -> _Conditions:
    """Return what a node selector term asks; nothing for an empty one, which is never true."""
    return frozenset(
        (field, _canonical(condition))
        for field in ("matchExpressions", "matchFields")
        for condition in term.get(field) or ()
    )


def _implies(conditions: _Conditions, others: _Conditions) -> bool:
    return not conditions or (bool(others) and others <= conditions)


def _with(
    products: list[tuple[Json, _Conditions]], product: tuple[Json, _Conditions]
) -> list[tuple[Json, _Conditions]]:
    """Add an alternative, unless a weaker one is there, and drop the stronger ones."""
    if any(_implies(product[1], known) for _, known in products):
        return products
    return [known for known in products if not _implies(known[1], product[1])] + [product]


def _canonical(value: Json) -> bytes:
    return msgspec.json.encode(value, order="sorted")
