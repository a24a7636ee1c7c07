"""Required rules as preferences."""

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from webhook.karl.contradiction import is_unsatisfiable
from webhook.karl.expressions import negate
from webhook.kube.affinity import (
    MAX_NODE_TERMS,
    POD_KINDS,
    PREFERRED,
    REQUIRED,
    required_node_terms,
)
from webhook.kube.objects import Json, encode
from webhook.kube.spread import SOFT, is_hard
from webhook.model import Settings

WEIGHT = 100
MAX_COMPARED = 16384
"""Requirements and values of all combinations of terms that are made disjoint; it takes at most
about 30 ms."""

_COMPARISONS = frozenset({"Gt", "Lt"})
_Requirement = tuple[str, Json]
"""`matchExpressions` or `matchFields`, and one of its entries."""


class AffinityParts(NamedTuple):
    """The terms of a core/v1 Affinity."""

    node_terms: list[Json]
    """The required ones, of which a node has to match one; empty if there are none."""
    node_preferences: list[Json]
    pod_terms: dict[str, list[Json]]
    """The required ones of `podAffinity` and `podAntiAffinity`."""
    pod_preferences: dict[str, list[Json]]


def split(affinity: Json) -> AffinityParts:
    """Return the terms of an affinity."""
    on_nodes = affinity.get("nodeAffinity") or {}
    on_pods = {kind: affinity.get(kind) or {} for kind in POD_KINDS}
    return AffinityParts(
        required_node_terms(affinity),
        on_nodes.get(PREFERRED) or [],
        {kind: terms.get(REQUIRED) or [] for kind, terms in on_pods.items()},
        {kind: terms.get(PREFERRED) or [] for kind, terms in on_pods.items()},
    )


def join(parts: AffinityParts) -> Json:
    """Return the affinity of terms, without empty fields."""
    selector = {"nodeSelectorTerms": parts.node_terms} if parts.node_terms else {}
    fields = {"nodeAffinity": {REQUIRED: selector, PREFERRED: parts.node_preferences}}
    for kind in POD_KINDS:
        required, preferred = parts.pod_terms.get(kind), parts.pod_preferences.get(kind)
        fields[kind] = {REQUIRED: required or [], PREFERRED: preferred or []}
    nonempty = {
        kind: {name: terms for name, terms in each.items() if terms}
        for kind, each in fields.items()
    }
    return {kind: each for kind, each in nonempty.items() if each}


def soften(settings: Settings, *, affinity: bool = True, node_selector: bool = True) -> Settings:
    """Return settings with required rules, or the node selector, as preferences of weight 100."""
    parts = split(settings.affinity)
    preferences: list[Json] = []
    if affinity:
        preferences = _disjoin(parts.node_terms)
        pods = {
            kind: [_prefer_pods(term) for term in terms] + parts.pod_preferences[kind]
            for kind, terms in parts.pod_terms.items()
        }
        parts = parts._replace(node_terms=[], pod_terms={}, pod_preferences=pods)
    if node_selector:
        wanted = [
            {"key": key, "operator": "In", "values": [value]}
            for key, value in settings.node_selector.items()
        ]
        wanted += settings.node_requirements
        preferences += [{"matchExpressions": [expression]} for expression in wanted]
        settings = msgspec.structs.replace(settings, node_selector={}, node_requirements=[])
    weighted = [{"weight": WEIGHT, "preference": term} for term in preferences]
    parts = parts._replace(node_preferences=weighted + parts.node_preferences)
    spread = soften_spread(settings.spread) if affinity else settings.spread
    return msgspec.structs.replace(settings, affinity=join(parts), copied={}, spread=spread)


def soften_spread(constraints: list[Json]) -> list[Json]:
    """Return the constraints as preferences, of two with the same topology the required one."""
    by_key: dict[str, Json] = {}
    for constraint in constraints:
        key = constraint["topologyKey"]
        if is_hard(constraint) or key not in by_key:
            by_key[key] = constraint | {"whenUnsatisfiable": SOFT}
    return list(by_key.values())


def _prefer_pods(term: Json) -> Json:
    return {"weight": WEIGHT, "podAffinityTerm": term}


def _disjoin(terms: list[Json]) -> list[Json]:
    """Return terms of which a node matches at most one, and one if it matches one of `terms`.

    kube-scheduler adds the weight of each preferred term that matches. If it takes more than
    MAX_NODE_TERMS or MAX_COMPARED, the terms are returned as they are, and some nodes count more
    than others.
    """
    listed = [requirements for term in terms if (requirements := _list_requirements(term))]
    disjoint: list[list[_Requirement]] = []
    compared = 0
    for index, requirements in enumerate(listed):
        products = [requirements]
        for other in listed[:index]:
            negations = list(_negate(other))
            sizes = sum(map(_count, products)), sum(map(_count, negations))
            compared += sizes[0] * len(negations) + sizes[1] * len(products)
            if compared > MAX_COMPARED:
                return terms
            products = [
                product
                for each in products
                for negated in negations
                if not _is_unsatisfiable(product := each + negated)
            ]
            if len(disjoint) + len(products) > MAX_NODE_TERMS:
                return terms
        disjoint += products
    return [_to_term(each) for each in disjoint]


def _negate(requirements: list[_Requirement]) -> Iterator[list[_Requirement]]:
    """Yield the negation of a term, as terms that exclude each other.

    Comparisons come last: a label that is not an integer matches neither `k>5` nor its negation,
    so it would match no later term.
    """
    ordered = sorted(requirements, key=lambda each: each[1]["operator"] in _COMPARISONS)
    for index, (part, requirement) in enumerate(ordered):
        for negated in negate(requirement):
            yield [*ordered[:index], (part, negated)]


def _is_unsatisfiable(requirements: list[_Requirement]) -> bool:
    return is_unsatisfiable(requirement for _, requirement in requirements)


def _list_requirements(term: Json) -> list[_Requirement]:
    return [
        (part, requirement)
        for part in ("matchExpressions", "matchFields")
        for requirement in term.get(part) or ()
    ]


def _count(requirements: list[_Requirement]) -> int:
    return sum(1 + len(each.get("values") or ()) for _, each in requirements)


def _to_term(requirements: list[_Requirement]) -> Json:
    """Return the term of requirements, each once."""
    distinct = {(part, encode(each)): each for part, each in requirements}
    term: Json = {}
    for (part, _), requirement in distinct.items():
        term.setdefault(part, []).append(requirement)
    return term
