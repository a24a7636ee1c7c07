"""Validation of parsed rules: values that the API server rejects, and contradictions."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from itertools import chain

from webhook.karl.contradiction import are_contradictory
from webhook.karl.errors import Mistake
from webhook.karl.expressions import to_expression
from webhook.karl.minimums import MAX_INTEGER, is_minimum
from webhook.karl.syntax import (
    TOPOLOGIES,
    NamespaceNames,
    NamespaceSelector,
    Operator,
    Rule,
    Selector,
    Target,
    Word,
)
from webhook.karl.text import format_selector, format_topology
from webhook.kube import labels
from webhook.kube.messages import did_you_mean, quote, suggest

_TOPOLOGY_SYNONYMS = {
    "host": "node",
    "hostname": "node",
    "machine": "node",
    "server": "node",
    "az": "zone",
}
_TYPO_RATIO = 0.75
"""Minimum similarity of a misspelled topology: `nodes` and `noed` are, `nodepool` is not."""

_QUOTES = "\"'`"

_EXAMPLES = {
    "label key": "expected a key such as app or example.com/app",
    "label value": "expected a value such as web",
    "namespace": "expected a name such as rook-ceph",
    "topology": f"expected {', '.join(TOPOLOGIES)} or a label key",
}
_CHECKS: dict[str, Callable[[str], str | None]] = {
    "label key": labels.check_key,
    "label value": labels.check_value,
    "namespace": labels.check_namespace,
    "topology": labels.check_key,
}
_RANGES = {
    Operator.GREATER: (0, MAX_INTEGER - 1),
    Operator.LESS: (1, MAX_INTEGER),
    Operator.AT_MOST: (0, MAX_INTEGER - 1),
}
"""Operands for which some integer labels match and some do not. Labels are not negative, because
a label value cannot begin with a minus."""


def find_mistakes(rule: Rule) -> Iterator[Mistake]:
    """Yield all mistakes in a rule; without any it can be compiled."""
    yield from _check_selectors(rule.selectors)
    yield from _check_topology(rule.target, rule.topology)
    match rule.namespaces:
        case NamespaceNames(names):
            yield from chain.from_iterable(_check_word("namespace", name) for name in names)
        case NamespaceSelector(selectors):
            yield from _check_selectors(selectors)


def _check_topology(target: Target, topology: Word) -> Iterator[Mistake]:
    key, span = topology.text, topology.span
    if key not in TOPOLOGIES.values():
        synonym = _TOPOLOGY_SYNONYMS.get(key.lower())
        hint = suggest(synonym) if synonym else did_you_mean(key, TOPOLOGIES, _TYPO_RATIO)
        if hint:
            message = f"unknown topology {quote(key)}"
            yield Mistake(span, message, _EXAMPLES["topology"] + hint)
            return
        yield from _check_word("topology", topology)
    if target is Target.NODES and key != TOPOLOGIES["node"]:
        message = f"nodes(...) on {quote(format_topology(key))}"
        hint = f"expected on node or no topology; select by label: nodes({TOPOLOGIES['zone']}=NAME)"
        yield Mistake(span, message, hint)


def _check_selectors(selectors: Sequence[Selector]) -> Iterator[Mistake]:
    by_key: dict[str, list[Selector]] = {}
    for selector in selectors:
        found = list(_check_selector(selector))
        yield from found
        if not found:
            by_key.setdefault(selector.key.text, []).append(selector)
    for group in by_key.values():
        if len(group) > 1:
            yield from _check_contradiction(group)


def _check_selector(selector: Selector) -> Iterator[Mistake]:
    yield from _check_word("label key", selector.key)
    match selector.operator:
        case Operator.AT_LEAST:
            yield from _check_minimum(selector)
        case Operator.GREATER | Operator.LESS | Operator.AT_MOST:
            yield from _check_integer(selector)
        case _:
            for value in selector.values:
                yield from _check_word("label value", value)


def _check_word(kind: str, word: Word) -> Iterator[Mistake]:
    """Yield the mistake in a label key, label value, namespace or topology."""
    if not (wrong := _CHECKS[kind](word.text)):
        return
    hint = _EXAMPLES[kind]
    unquoted = word.text.strip(_QUOTES)
    if unquoted != word.text:
        hint = "expected no quotes" + (suggest(unquoted) if unquoted else "")
    elif is_minimum(word.text):
        hint = f"for a minimum write nodes(KEY>={word.text[:-1]})"
    elif "*" in word.text:
        hint = "patterns are not supported; has KEY matches any value"
    elif "|" in word.text:
        hint += suggest(f"in [{word.text.replace('|', ', ')}]")
    yield Mistake(word.span, f"{kind} {quote(word.text)} {wrong}", hint)


def _check_minimum(selector: Selector) -> Iterator[Mistake]:
    (value,) = selector.values
    try:
        to_expression(selector)
    except ValueError as error:
        hint = "expected a whole number or a quantity, such as 16 or 64Gi"
        yield Mistake(value.span, f"minimum {quote(value.text)} {error}", hint)


def _check_integer(selector: Selector) -> Iterator[Mistake]:
    (value,) = selector.values
    text, (least, largest) = value.text, _RANGES[selector.operator]
    digits = text.isascii() and text.isdigit() and len(text) <= len(str(MAX_INTEGER))
    if digits and least <= int(text) <= largest:
        return
    message = f"{quote(text)} must be a whole number from {least} to {largest}"
    if text.lstrip("-").isdecimal():
        hint = f"labels are from 0 to {MAX_INTEGER}, so every label or none would match"
    else:
        hint = "only >= compares quantities, such as memory>=64Gi"
    yield Mistake(value.span, message, hint)


def _check_contradiction(selectors: Sequence[Selector]) -> Iterator[Mistake]:
    """Yield the first selector of a label that contradicts those before it."""
    expressions = [to_expression(selector) for selector in selectors]
    if not are_contradictory(expressions):
        return
    index = bisect_left(
        range(len(expressions)), 1, key=lambda last: are_contradictory(expressions[: last + 1])
    )
    last = expressions[index]
    pair = next((i for i in range(index) if are_contradictory([expressions[i], last])), None)
    other = "the ones before it" if pair is None else quote(format_selector(selectors[pair]))
    message = f"{quote(format_selector(selectors[index]))} contradicts {other}"
    yield Mistake(selectors[index].span, message, _suggest_list(selectors))


def _suggest_list(selectors: Sequence[Selector]) -> str:
    hint = "expected selectors that can match together"
    if any(selector.operator is not Operator.EQUAL for selector in selectors):
        return hint
    values = dict.fromkeys(selector.values[0].text for selector in selectors)
    return hint + suggest(f"{selectors[0].key.text} in [{', '.join(values)}]")
