"""Formatting of a rule as canonical text, which parses to an equal rule."""

from webhook.karl.syntax import (
    TOPOLOGIES,
    NamespaceNames,
    Namespaces,
    NamespaceSelector,
    Operator,
    Rule,
    Selector,
    Target,
    Word,
)
from webhook.model import Scope

_WORDS = {key: word for word, key in TOPOLOGIES.items()}


def to_text(rule: Rule) -> str:
    """Format a rule on one line: `REQUIRE pods(app=web, tier in [db, cache]) on zone`."""
    parts = [f"{rule.verb} {rule.target}({_format_selectors(rule.selectors)})"]
    if rule.namespaces is not None:
        parts.append(_format_namespaces(rule.namespaces))
    if rule.target is Target.PODS:
        parts.append(f"on {format_topology(rule.topology.text)}")
    if rule.weight is not None:
        parts.append(f"weight={rule.weight}")
    if rule.skew is not None:
        parts.append(f"skew={rule.skew}")
    if rule.enforced:
        parts.append("hard")
    return " ".join(parts)


def format_selector(selector: Selector) -> str:
    key, operator = selector.key.text, selector.operator
    match operator:
        case Operator.HAS | Operator.NOT_HAS:
            return f"{operator.value} {key}"
        case Operator.IN | Operator.NOT_IN:
            return f"{key} {operator.value} {_format_list(selector.values)}"
        case _:
            return f"{key}{operator.value}{selector.values[0].text}"


def format_topology(key: str) -> str:
    """Format a topology key, as its keyword if it has one."""
    return _WORDS.get(key, key)


def _format_selectors(selectors: tuple[Selector, ...]) -> str:
    return ", ".join(map(format_selector, selectors))


def _format_list(words: tuple[Word, ...]) -> str:
    return f"[{', '.join(word.text for word in words)}]"


def _format_namespaces(namespaces: Namespaces) -> str:
    match namespaces:
        case Scope.OWN:
            return "in own namespace"
        case Scope.ALL:
            return "in all namespaces"
        case NamespaceNames((name,)):
            return f"in namespace {name.text}"
        case NamespaceNames(names):
            return f"in namespaces {_format_list(names)}"
        case NamespaceSelector(selectors):
            return f"in namespaces ({_format_selectors(selectors)})"
