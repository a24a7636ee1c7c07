"""Compilation of rules to a core/v1 Affinity and to TopologySpreadConstraints."""

from collections.abc import Sequence

from webhook.karl import nodeterms
from webhook.karl.errors import Mistake
from webhook.karl.expressions import to_expression
from webhook.karl.syntax import (
    DEFAULT_SKEW,
    DEFAULT_WEIGHT,
    NamespaceNames,
    Namespaces,
    NamespaceSelector,
    Operator,
    Rule,
    Selector,
    Target,
    Verb,
)
from webhook.karl.text import format_topology
from webhook.kube.affinity import PREFERRED, REQUIRED
from webhook.kube.messages import quote
from webhook.kube.objects import Json
from webhook.kube.spread import HARD, SOFT, spread_key
from webhook.model import Scope


def to_affinity(rules: Sequence[Rule], scope: Scope) -> Json | Mistake:
    """Return the Affinity of all rules but SPREAD, or the reason why they cannot be combined.

    `scope` is that of pod rules that specify none. Node expressions may have the operators of
    `webhook.karl.minimums`.
    """
    on_nodes = _to_node_affinity([rule for rule in rules if rule.target is Target.NODES])
    if isinstance(on_nodes, Mistake):
        return on_nodes
    on_pods = [
        rule for rule in rules if rule.target is Target.PODS and rule.verb is not Verb.SPREAD
    ]
    sections = {
        "nodeAffinity": on_nodes,
        "podAffinity": _to_pod_affinity([r for r in on_pods if not r.verb.away], scope),
        "podAntiAffinity": _to_pod_affinity([r for r in on_pods if r.verb.away], scope),
    }
    return {name: section for name, section in sections.items() if section}


def to_spread(rules: Sequence[Rule]) -> list[Json] | Mistake:
    """Return the TopologySpreadConstraints of all SPREAD rules, or why they cannot be combined.

    A node whose taints the pod does not tolerate does not count: by default one cordoned node
    without pods of the group would keep all later pods Pending.
    """
    constraints: dict[tuple[str, str], Json] = {}
    for rule in rules:
        if rule.verb is not Verb.SPREAD:
            continue
        constraint = {
            "maxSkew": rule.skew or DEFAULT_SKEW,
            "topologyKey": rule.topology.text,
            "whenUnsatisfiable": HARD if rule.enforced else SOFT,
            "labelSelector": _to_label_selector(rule.selectors),
            "nodeTaintsPolicy": "Honor",
        }
        if constraints.setdefault(spread_key(constraint), constraint) != constraint:
            kind = "hard" if rule.enforced else "soft"
            topology = format_topology(rule.topology.text)
            message = f"a second {kind} SPREAD on {quote(topology)}"
            hint = (
                "expected one: Kubernetes allows one hard and one soft constraint for each topology"
            )
            return Mistake(rule.span, message, hint)
    return list(constraints.values())


def _to_node_affinity(rules: Sequence[Rule]) -> Json | Mistake:
    if over := nodeterms.check_selector_count(rules):
        return over
    affinity: Json = {}
    if hard := [rule for rule in rules if rule.verb.hard]:
        required = nodeterms.to_required_terms(hard)
        if isinstance(required, Mistake):
            return required
        affinity[REQUIRED] = {"nodeSelectorTerms": required}
    for rule in rules:
        if rule.verb.hard:
            continue
        preferred = nodeterms.to_preferred_terms(rule)
        if isinstance(preferred, Mistake):
            return preferred
        affinity.setdefault(PREFERRED, []).extend(
            {"weight": _weight_of(rule), "preference": term} for term in preferred
        )
    return affinity


def _to_pod_affinity(rules: Sequence[Rule], scope: Scope) -> Json:
    affinity: Json = {}
    for rule in rules:
        term = _to_pod_term(rule, scope)
        if rule.verb.hard:
            affinity.setdefault(REQUIRED, []).append(term)
        else:
            weighted = {"weight": _weight_of(rule), "podAffinityTerm": term}
            affinity.setdefault(PREFERRED, []).append(weighted)
    return affinity


def _to_pod_term(rule: Rule, scope: Scope) -> Json:
    selector = _to_label_selector(rule.selectors)
    term = {"labelSelector": selector, "topologyKey": rule.topology.text}
    return term | _to_namespace_fields(rule.namespaces or scope)


def _to_namespace_fields(namespaces: Namespaces) -> Json:
    """Return the namespace fields of a PodAffinityTerm; none select its own namespace."""
    match namespaces:
        case Scope.OWN:
            return {}
        case Scope.ALL:
            return {"namespaceSelector": {}}
        case NamespaceNames(names):
            return {"namespaces": [name.text for name in names]}
        case NamespaceSelector(selectors):
            return {"namespaceSelector": _to_label_selector(selectors)}


def _to_label_selector(selectors: Sequence[Selector]) -> Json:
    """Return a LabelSelector with `k=v` in matchLabels, in the order of karl-interpreter."""
    labels: dict[str, str] = {}
    expressions: list[Json] = []
    for selector in selectors:
        if selector.operator is Operator.EQUAL:
            labels[selector.key.text] = selector.values[0].text
        else:
            expressions.append(to_expression(selector))
    found = {"matchLabels": labels, "matchExpressions": expressions}
    return {name: part for name, part in found.items() if part}


def _weight_of(rule: Rule) -> int:
    return rule.weight or DEFAULT_WEIGHT
