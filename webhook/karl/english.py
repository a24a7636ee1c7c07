"""A rule as a sentence for people who do not read KARL."""

from collections.abc import Sequence

from webhook.karl.syntax import (
    DEFAULT_WEIGHT,
    TOPOLOGIES,
    Labelled,
    Named,
    Namespaces,
    Operator,
    Rule,
    Selector,
    Target,
    Verb,
)
from webhook.model import Scope

_WISHES = {
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
    """Return a sentence that says what a rule asks for.

    `scope` is where a rule on pods looks that names no namespace.
    """
    labels = _labels(rule.selectors)
    if rule.target is Target.NODES:
        where = f"on a node where {labels}"
    else:
        namespaces = _namespaces(rule.namespaces or Scope(scope))
        where = f"{_place(rule)} as a pod where {labels}, in {namespaces}"
    weight = "" if rule.verb.hard else f" (weight {rule.weight or DEFAULT_WEIGHT} of 100)"
    return f"A convertor pod {_WISHES[rule.verb]} {where}{weight}."


def _place(rule: Rule) -> str:
    key = rule.topology.text
    return _PLACES.get(key, f"on a node with the same {key}")


def _namespaces(namespaces: Namespaces) -> str:
    match namespaces:
        case Scope.OWN:
            return "its own namespace"
        case Scope.ALL:
            return "any namespace"
        case Named(names):
            return f"namespace {_any([name.text for name in names])}"
        case Labelled(selectors):
            return f"a namespace where {_labels(selectors)}"


def _labels(selectors: Sequence[Selector]) -> str:
    return " and ".join(map(_label, selectors))


def _label(selector: Selector) -> str:
    relation = f"{selector.key.text} {_RELATIONS[selector.operator]}"
    values = [value.text for value in selector.values]
    return f"{relation} {_any(values)}" if values else relation


def _any(words: Sequence[str]) -> str:
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
