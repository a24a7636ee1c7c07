"""Conversion of affinity terms and spread constraints to KARL, where it has an equivalent rule."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec

from webhook.karl.minimums import AT_LEAST
from webhook.karl.syntax import (
    DEFAULT_SKEW,
    TOPOLOGIES,
    NamespaceNames,
    Namespaces,
    NamespaceSelector,
    Operator,
    Rule,
    Selector,
    Span,
    Target,
    Verb,
    Word,
)
from webhook.karl.text import to_text
from webhook.kube.affinity import PREFERRED, REQUIRED
from webhook.kube.messages import truncate
from webhook.kube.objects import Json
from webhook.model import Scope

_MAX_JSON_CHARACTERS = 100
_NO_SPAN = Span(0, 0)
_NODE = TOPOLOGIES["node"]
_VERBS = {
    ("podAffinity", REQUIRED): Verb.REQUIRE,
    ("podAffinity", PREFERRED): Verb.PREFER,
    ("podAntiAffinity", REQUIRED): Verb.AVOID,
    ("podAntiAffinity", PREFERRED): Verb.REPEL,
}
_SPREAD_POLICIES = {"nodeAffinityPolicy": "Honor", "nodeTaintsPolicy": "Ignore"}
"""The policies of a TopologySpreadConstraint with their defaults; SPREAD honors both."""
_ONE_VALUE = {
    "In": Operator.EQUAL,
    "NotIn": Operator.NOT_EQUAL,
    "Gt": Operator.GREATER,
    "Lt": Operator.LESS,
    AT_LEAST: Operator.AT_LEAST,
}
_ANY_VALUES = {
    "In": Operator.IN,
    "NotIn": Operator.NOT_IN,
    "Exists": Operator.HAS,
    "DoesNotExist": Operator.NOT_HAS,
}


class DecompiledTerm(NamedTuple):
    """A term, as an affinity with nothing else, and the equivalent rule."""

    affinity: Json
    rule: Rule | None
    """None if KARL has no equivalent."""


def decompile(affinity: Json) -> Iterator[DecompiledTerm]:
    """Yield each term of an affinity; the required node terms are one, because they are ORed."""
    node_affinity = affinity.get("nodeAffinity") or {}
    if required := node_affinity.get(REQUIRED):
        yield DecompiledTerm(
            {"nodeAffinity": {REQUIRED: required}}, _decompile_required_node_terms(required)
        )
    for weighted in node_affinity.get(PREFERRED) or ():
        rule = _decompile_node_term(
            Verb.PREFER, weighted.get("preference") or {}, weighted["weight"]
        )
        yield DecompiledTerm({"nodeAffinity": {PREFERRED: [weighted]}}, rule)
    for (kind, field), verb in _VERBS.items():
        for item in (affinity.get(kind) or {}).get(field) or ():
            term = item.get("podAffinityTerm") or item
            rule = decompile_pod_term(verb, term, item.get("weight"))
            yield DecompiledTerm({kind: {field: [item]}}, rule)


def decompile_pod_term(verb: Verb, term: Json, weight: int | None = None) -> Rule | None:
    """Return the rule that is equivalent to a PodAffinityTerm, or None."""
    if term.get("matchLabelKeys") or term.get("mismatchLabelKeys"):
        return None
    selectors = _decompile_label_selector(term.get("labelSelector") or {})
    namespaces = _decompile_namespaces(term)
    if not selectors or namespaces is None:
        return None
    return Rule(
        verb, Target.PODS, selectors, namespaces, _to_word(term["topologyKey"]), weight, _NO_SPAN
    )


def decompile_spread(constraint: Json) -> Rule | None:
    """Return the SPREAD that is equivalent to a TopologySpreadConstraint, or None."""
    others = {"minDomains", "matchLabelKeys"} & {
        name for name, value in constraint.items() if value
    }
    policies = [constraint.get(each) or default for each, default in _SPREAD_POLICIES.items()]
    selectors = _decompile_label_selector(constraint.get("labelSelector") or {})
    if others or policies != ["Honor", "Honor"] or not selectors:
        return None
    return Rule(
        Verb.SPREAD,
        Target.PODS,
        selectors,
        None,
        _to_word(constraint["topologyKey"]),
        None,
        _NO_SPAN,
        None if constraint["maxSkew"] == DEFAULT_SKEW else constraint["maxSkew"],
        constraint["whenUnsatisfiable"] == "DoNotSchedule",
    )


def decompile_node_selector(key: str, value: str) -> Rule:
    """Return the rule that is equivalent to an entry of a nodeSelector."""
    selector = Selector(_to_word(key), Operator.EQUAL, (_to_word(value),), _NO_SPAN)
    return Rule(Verb.REQUIRE, Target.NODES, (selector,), None, _to_word(_NODE), None, _NO_SPAN)


def format_pod_term(verb: Verb, term: Json) -> str:
    """Return a pod term as a rule on one line, or as JSON if KARL has no such rule."""
    rule = decompile_pod_term(verb, term)
    return to_text(rule) if rule else _format_json(term)


def format_required_pod_term(kind: str, term: Json) -> str:
    """Return a required term of `podAffinity` or `podAntiAffinity` as a rule on one line."""
    return format_pod_term(_VERBS[kind, REQUIRED], term)


def format_spread(constraint: Json) -> str:
    """Return a TopologySpreadConstraint as a rule on one line, or as JSON if KARL has none."""
    rule = decompile_spread(constraint)
    return to_text(rule) if rule else _format_json(constraint)


def format_node_terms(terms: list[Json]) -> str:
    """Return required node terms as a rule on one line, or as JSON if KARL has no such rule."""
    rule = _decompile_required_node_terms({"nodeSelectorTerms": terms})
    return to_text(rule) if rule else _format_json(terms)


def _decompile_required_node_terms(required: Json) -> Rule | None:
    terms = required.get("nodeSelectorTerms") or []
    return _decompile_node_term(Verb.REQUIRE, terms[0], None) if len(terms) == 1 else None


def _decompile_node_term(verb: Verb, term: Json, weight: int | None) -> Rule | None:
    selectors = _decompile_expressions(term.get("matchExpressions") or ())
    if not selectors or term.get("matchFields"):
        return None
    return Rule(verb, Target.NODES, selectors, None, _to_word(_NODE), weight, _NO_SPAN)


def _decompile_namespaces(term: Json) -> Namespaces | None:
    names, selector = term.get("namespaces") or (), term.get("namespaceSelector")
    if selector is None:
        return NamespaceNames(tuple(map(_to_word, names))) if names else Scope.OWN
    if selector.get("matchLabels") or selector.get("matchExpressions"):
        labelled = _decompile_label_selector(selector)
        return NamespaceSelector(labelled) if labelled and not names else None
    return Scope.ALL


def _decompile_label_selector(selector: Json) -> tuple[Selector, ...]:
    labels = [
        Selector(_to_word(key), Operator.EQUAL, (_to_word(value),), _NO_SPAN)
        for key, value in (selector.get("matchLabels") or {}).items()
    ]
    rest = selector.get("matchExpressions") or ()
    selectors = _decompile_expressions(rest)
    return (*labels, *selectors) if selectors or not rest else ()


def _decompile_expressions(expressions: Iterable[Json]) -> tuple[Selector, ...]:
    """Return the selectors, or none at all if an expression has no equivalent in KARL."""
    found = [_decompile_expression(expression) for expression in expressions]
    selectors = tuple(selector for selector in found if selector)
    return selectors if len(selectors) == len(found) else ()


def _decompile_expression(expression: Json) -> Selector | None:
    values = tuple(map(_to_word, expression.get("values") or ()))
    operators = _ONE_VALUE if len(values) == 1 else _ANY_VALUES
    operator = operators.get(expression["operator"])
    return Selector(_to_word(expression["key"]), operator, values, _NO_SPAN) if operator else None


def _to_word(text: str) -> Word:
    return Word(text, _NO_SPAN)


def _format_json(value: Json | list[Json]) -> str:
    return truncate(msgspec.json.encode(value).decode(), _MAX_JSON_CHARACTERS)
