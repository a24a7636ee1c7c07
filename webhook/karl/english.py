"""Translation of a rule to an English sentence."""

from collections.abc import Sequence

from webhook.karl.syntax import (
    DEFAULT_SKEW,
    DEFAULT_WEIGHT,
    TOPOLOGIES,
    NamespaceNames,
    Namespaces,
    NamespaceSelector,
    Operator,
    Rule,
    Selector,
    Target,
    Verb,
)
from webhook.kube.messages import join_with_or
from webhook.model import Scope

_PHRASES = {
    Verb.REQUIRE: "must run",
    Verb.PREFER: "should run",
    Verb.AVOID: "must not run",
    Verb.REPEL: "should not run",
}
_PLACES = {
    TOPOLOGIES["node"]: "on the same node",
    TOPOLOGIES["zone"]: "in the same zone",
    TOPOLOGIES["region"]: "in the same region",
    TOPOLOGIES["rack"]: "in the same rack",
}
_SPREAD_PLACES = {
    TOPOLOGIES["node"]: "nodes",
    TOPOLOGIES["zone"]: "zones",
    TOPOLOGIES["region"]: "regions",
    TOPOLOGIES["rack"]: "racks",
}
_RELATIONS = {
    Operator.EQUAL: "is",
    Operator.NOT_EQUAL: "is not",
    Operator.IN: "is",
    Operator.NOT_IN: "is not",
    Operator.HAS: "is set",
    Operator.NOT_HAS: "is not set",
    Operator.GREATER: "is more than",
    Operator.AT_LEAST: "is at least",
    Operator.LESS: "is less than",
    Operator.AT_MOST: "is at most",
}


def to_english(rule: Rule, *, scope: Scope | str = Scope.ALL) -> str:
    """Return a rule as a sentence; `scope` is that of pod rules that specify none."""
    labels = _describe_selectors(rule.selectors)
    if rule.verb is Verb.SPREAD:
        return _describe_spread(rule, labels)
    if rule.target is Target.NODES:
        where = f"on a node where {labels}"
    else:
        namespaces = _describe_namespaces(rule.namespaces or Scope(scope))
        where = f"{_describe_place(rule)} as a pod where {labels}, in {namespaces}"
    weight = "" if rule.verb.hard else f" (weight {rule.weight or DEFAULT_WEIGHT} of 100)"
    return f"A convertor pod {_PHRASES[rule.verb]} {where}{weight}."


def _describe_spread(rule: Rule, labels: str) -> str:
    place = _SPREAD_PLACES.get(rule.topology.text, f"values of the node label {rule.topology.text}")
    must = "must" if rule.enforced else "should"
    return (
        f"The pods where {labels}, in its own namespace, {must} be spread over {place}, with a "
        f"difference of at most {rule.skew or DEFAULT_SKEW}."
    )


def _describe_place(rule: Rule) -> str:
    key = rule.topology.text
    return _PLACES.get(key, f"on a node with the same {key}")


def _describe_namespaces(namespaces: Namespaces) -> str:
    match namespaces:
        case Scope.OWN:
            return "its own namespace"
        case Scope.ALL:
            return "any namespace"
        case NamespaceNames(names):
            return f"namespace {join_with_or([name.text for name in names])}"
        case NamespaceSelector(selectors):
            return f"a namespace where {_describe_selectors(selectors)}"


def _describe_selectors(selectors: Sequence[Selector]) -> str:
    return " and ".join(map(_describe_selector, selectors))


def _describe_selector(selector: Selector) -> str:
    relation = f"{selector.key.text} {_RELATIONS[selector.operator]}"
    values = [value.text for value in selector.values]
    return f"{relation} {join_with_or(values)}" if values else relation
