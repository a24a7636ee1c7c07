"""Merging, defaulting and normalizing of core/v1 affinities.

Affinities are JSON objects, and unknown fields are kept. Functions do not change their arguments;
results may share parts with them.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from webhook.kube.objects import Json, encode, unite

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
POD_KINDS = ("podAffinity", "podAntiAffinity")
MAX_NODE_TERMS = 64
"""Maximum number of required node terms. ANDing two lists multiplies their terms, and the scheduler
evaluates each term for each node."""
_TOO_MANY = f"makes more than {MAX_NODE_TERMS} required node terms"

_Requirements = frozenset[tuple[str, bytes]]
_Joins = Mapping[str, Callable[[Any, Any], Any]]


def required_node_terms(affinity: Json) -> list[Json]:
    """Return the ORed required node terms of an affinity."""
    required = (affinity.get("nodeAffinity") or {}).get(REQUIRED) or {}
    return required.get("nodeSelectorTerms") or []


def merge_affinities(first: Json, second: Json) -> Json:
    """Merge two affinities: required node terms are ANDed, all other terms are united.

    Raises:
        ValueError: the result has more than MAX_NODE_TERMS required node terms.

    """
    return _join(first, second, _AFFINITY)


def and_node_terms(terms: list[Json], others: list[Json]) -> list[Json]:
    """AND two lists of ORed nodeSelectorTerms: their product, without redundant terms.

    A term that implies one of the others is kept unchanged, so that ANDing the same list again
    changes nothing. An empty term is kept too: it matches no node, nor does an empty list.

    Raises:
        ValueError: the product, or one of the lists, has more than MAX_NODE_TERMS terms.

    """
    if max(len(terms), len(others)) > MAX_NODE_TERMS:
        raise ValueError(_TOO_MANY)
    alternatives = [(other, _get_requirements(other)) for other in others]
    kept: list[Json] = []
    products: list[tuple[Json, _Requirements]] = []
    for term in terms:
        mine = _get_requirements(term)
        if any(_implies(mine, theirs) for _, theirs in alternatives):
            kept.append(term)
            continue
        for other, theirs in alternatives:
            both = mine | theirs if theirs else theirs
            if any(_implies(both, known) for _, known in products):
                continue
            product = _and_terms(term, other) if theirs else other
            products = [each for each in products if not _implies(each[1], both)]
            products.append((product, both))
            if len(products) > MAX_NODE_TERMS:
                raise ValueError(_TOO_MANY)
    return kept + [product for product, _ in products]


def omit_empty_fields(affinity: Json) -> Json:
    """Remove null fields, and empty lists and matchLabels, which mean the same when absent.

    Go's `omitempty` does so when Forklift copies a plan's affinity into a pod.
    """
    found: Json = _omit_empty(affinity)
    return found


def default_to_all_namespaces(affinity: Json) -> Json:
    """Select all namespaces in pod terms without namespaces; returns itself if there are none."""
    changed = {
        kind: after
        for kind in ("podAffinity", "podAntiAffinity")
        if (before := affinity.get(kind)) and (after := _default_kind(before)) is not before
    }
    return affinity | changed if changed else affinity


def default_term_to_all_namespaces(term: Json) -> Json:
    """Select all namespaces in a PodAffinityTerm, unless it specifies namespaces."""
    if term.get("namespaces") or term.get("namespaceSelector") is not None:
        return term
    return term | {"namespaceSelector": {}}


def _omit_empty(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            field: _omit_empty(member)
            for field, member in value.items()
            if member not in (None, []) and not (field == "matchLabels" and not member)
        }
    return [_omit_empty(item) for item in value] if isinstance(value, list) else value


def _default_kind(kind: Json) -> Json:
    required = kind.get(REQUIRED) or []
    preferred = kind.get(PREFERRED) or []
    changed_required = [default_term_to_all_namespaces(term) for term in required]
    changed_preferred = [
        weighted | {"podAffinityTerm": default_term_to_all_namespaces(weighted["podAffinityTerm"])}
        for weighted in preferred
    ]
    changed: Json = {}
    if changed_required != required:
        changed[REQUIRED] = changed_required
    if changed_preferred != preferred:
        changed[PREFERRED] = changed_preferred
    return kind | changed if changed else kind


def _join(first: Json, second: Json, joins: _Joins) -> Json:
    """Merge two objects; fields of both are joined if `joins` has them, else the first wins."""
    joined = dict(first)
    for field, theirs in second.items():
        mine = first.get(field)
        if mine is None:
            joined[field] = theirs
        elif theirs is not None and field in joins:
            joined[field] = joins[field](mine, theirs)
    return joined


def _and_selectors(first: Json, second: Json) -> Json:
    lists = (selector.get("nodeSelectorTerms") or [] for selector in (first, second))
    return {**second, **first, "nodeSelectorTerms": and_node_terms(*lists)}


_POD_JOINS: _Joins = {REQUIRED: unite, PREFERRED: unite}
_NODE_JOINS: _Joins = {
    REQUIRED: _and_selectors,
    PREFERRED: unite,
}
_AFFINITY: _Joins = {
    "nodeAffinity": partial(_join, joins=_NODE_JOINS),
    "podAffinity": partial(_join, joins=_POD_JOINS),
    "podAntiAffinity": partial(_join, joins=_POD_JOINS),
}


def _and_terms(term: Json, other: Json) -> Json:
    return _join(term, other, {"matchExpressions": unite, "matchFields": unite})


def _get_requirements(term: Json) -> _Requirements:
    """Return the requirements of a node selector term; an empty one, without any, never matches."""
    return frozenset(
        (field, encode(requirement))
        for field in ("matchExpressions", "matchFields")
        for requirement in term.get(field) or ()
    )


def _implies(requirements: _Requirements, others: _Requirements) -> bool:
    return not requirements or (bool(others) and others <= requirements)
