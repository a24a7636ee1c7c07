"""What is wrong with a rule that can be read: what Kubernetes refuses, and what never holds."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from itertools import chain

from webhook.karl import minimums
from webhook.karl.contradiction import contradictory
from webhook.karl.errors import Mistake
from webhook.karl.expressions import LARGEST_INTEGER, expression
from webhook.karl.syntax import (
    TOPOLOGIES,
    Labelled,
    Named,
    Operator,
    Rule,
    Selector,
    Target,
    Word,
)
from webhook.karl.text import selector_text, topology_text
from webhook.kube import labels
from webhook.kube.messages import did_you_mean, quote, suggest

_MEANT = {"host": "node", "hostname": "node", "machine": "node", "server": "node", "az": "zone"}
_TYPO = 0.75
"""From this likeness on a topology is a misspelling of ours: `nodes`, `noed`; not `nodepool`."""

_QUOTES = "\"'`\u2018\u2019\u201c\u201d"

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
    Operator.GREATER: (0, LARGEST_INTEGER - 1),
    Operator.LESS: (1, LARGEST_INTEGER),
    Operator.AT_MOST: (0, LARGEST_INTEGER - 1),
}
"""The integers to compare with: neither all labels nor none are on one side. A label is not
negative, because a label value cannot begin with a minus."""


def mistakes(rule: Rule) -> list[Mistake]:
    """Return everything that is wrong with a rule; nothing when it can be compiled."""
    found = [*_selectors(rule.selectors), *_topology(rule.target, rule.topology)]
    match rule.namespaces:
        case Named(names):
            found += chain.from_iterable(_word("namespace", name) for name in names)
        case Labelled(selectors):
            found += _selectors(selectors)
    return found


def _topology(target: Target, topology: Word) -> Iterator[Mistake]:
    key, span = topology.text, topology.span
    if key not in TOPOLOGIES.values():
        meant = suggest(_MEANT[key.lower()]) if key.lower() in _MEANT else ""
        if meant := meant or did_you_mean(key, TOPOLOGIES, _TYPO):
            message = f"unknown topology {quote(key)}"
            yield Mistake(span, message, _EXAMPLES["topology"] + meant)
            return
        yield from _word("topology", topology)
    if target is Target.NODES and key != TOPOLOGIES["node"]:
        message = f"nodes(...) on {quote(topology_text(key))}"
        hint = f"expected on node, or nothing; a label selects, as in {TOPOLOGIES['zone']}=NAME"
        yield Mistake(span, message, hint)


def _selectors(selectors: Sequence[Selector]) -> Iterator[Mistake]:
    by_key: dict[str, list[Selector]] = {}
    for selector in selectors:
        found = list(_selector(selector))
        yield from found
        if not found:
            by_key.setdefault(selector.key.text, []).append(selector)
    for group in by_key.values():
        yield from _contradiction(group)


def _selector(selector: Selector) -> Iterator[Mistake]:
    yield from _word("label key", selector.key)
    match selector.operator:
        case Operator.AT_LEAST:
            yield from _minimum(selector)
        case Operator.GREATER | Operator.LESS | Operator.AT_MOST:
            yield from _integer(selector)
        case _:
            for value in selector.values:
                yield from _word("label value", value)


def _word(kind: str, word: Word) -> Iterator[Mistake]:
    """Yield what is wrong with a word, by the rules for its kind."""
    if not (wrong := _CHECKS[kind](word.text)):
        return
    hint = _EXAMPLES[kind]
    bare = word.text.strip(_QUOTES)
    if bare != word.text:
        hint = "expected no quotes" + (suggest(bare) if bare else "")
    elif minimums.is_selector(word.text):
        hint = f"for a minimum write, in nodes(...), KEY>={word.text[:-1]}"
    elif "*" in word.text:
        hint = "there are no patterns; has KEY is met by any value"
    elif "|" in word.text:
        hint += suggest(f"in [{word.text.replace('|', ', ')}]")
    yield Mistake(word.span, f"{kind} {quote(word.text)} {wrong}", hint)


def _minimum(selector: Selector) -> Iterator[Mistake]:
    (value,) = selector.values
    try:
        expression(selector)
    except ValueError as error:
        hint = "expected a whole number or a quantity, such as 16 or 64Gi"
        yield Mistake(value.span, f"minimum {quote(value.text)} {error}", hint)


def _integer(selector: Selector) -> Iterator[Mistake]:
    (value,) = selector.values
    text, (least, largest) = value.text, _RANGES[selector.operator]
    digits = text.isascii() and text.isdigit() and len(text) <= len(str(LARGEST_INTEGER))
    if digits and least <= int(text) <= largest:
        return
    message = f"{quote(text)} must be a whole number from {least} to {largest}"
    if text.lstrip("-").isdecimal():
        hint = f"labels are from 0 to {LARGEST_INTEGER}, so all or none would be on that side"
    else:
        hint = "only >= compares quantities, such as memory>=64Gi"
    yield Mistake(value.span, message, hint)


def _contradiction(selectors: Sequence[Selector]) -> Iterator[Mistake]:
    """Yield the first selector that cannot hold together with those before it; one key."""
    terms = [expression(selector) for selector in selectors]
    if not contradictory(terms):
        return
    index = bisect_left(range(len(terms)), 1, key=lambda last: contradictory(terms[: last + 1]))
    pair = next((i for i in range(index) if contradictory([terms[i], terms[index]])), None)
    other = "the ones before it" if pair is None else quote(selector_text(selectors[pair]))
    message = f"{quote(selector_text(selectors[index]))} contradicts {other}"
    yield Mistake(selectors[index].span, message, _either(selectors))


def _either(selectors: Sequence[Selector]) -> str:
    hint = "expected selectors that hold together"
    if any(selector.operator is not Operator.EQUAL for selector in selectors):
        return hint
    values = dict.fromkeys(selector.values[0].text for selector in selectors)
    return hint + suggest(f"{selectors[0].key.text} in [{', '.join(values)}]")
