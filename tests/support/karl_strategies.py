"""Rules and texts for hypothesis."""

from hypothesis import strategies as st

from webhook.karl.syntax import (
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
from webhook.model import Scope

NO_SPAN = Span(0, 0)
KEYS = ["skew", "hard", "app", "example.com/row", "in", "on", "notin", "weight", "pods", "x.y_z-1"]
VALUES = ["web", "A_b.c-1", "5", "007", "in", "not", "has", "on", "weight", "node"]
NAMES = ["rook-ceph", "own", "all", "on", "namespace", "1"]
LABEL_OPERATORS = [
    Operator.EQUAL,
    Operator.NOT_EQUAL,
    Operator.IN,
    Operator.NOT_IN,
    Operator.HAS,
    Operator.NOT_HAS,
]
COMPARISONS = [Operator.GREATER, Operator.AT_LEAST, Operator.LESS, Operator.AT_MOST]


def words(options: list[str]) -> st.SearchStrategy[Word]:
    return st.sampled_from(options).map(lambda text: Word(text, NO_SPAN))


@st.composite
def selectors(draw: st.DrawFn, operators: list[Operator]) -> Selector:
    operator = draw(st.sampled_from(operators))
    # a label key `has` or `not` is possible only without a list
    keys = (
        KEYS if operator in {Operator.IN, Operator.NOT_IN, *COMPARISONS} else [*KEYS, "has", "not"]
    )
    match operator:
        case Operator.HAS | Operator.NOT_HAS:
            values: tuple[Word, ...] = ()
        case Operator.IN | Operator.NOT_IN:
            values = tuple(draw(st.lists(words(VALUES), min_size=1, max_size=3)))
        case Operator.AT_LEAST:
            values = (draw(words(["1", "5", "64Gi", "1500m"])),)
        case Operator.GREATER | Operator.LESS | Operator.AT_MOST:
            values = (draw(words(["1", "5", "9223372036854775806"])),)
        case _:
            values = (draw(words(VALUES)),)
    return Selector(draw(words(keys)), operator, values, NO_SPAN)


def selector_lists(operators: list[Operator]) -> st.SearchStrategy[tuple[Selector, ...]]:
    """Return one selector or more, on different labels so that they do not contradict."""
    lists = st.lists(
        selectors(operators), min_size=1, max_size=4, unique_by=lambda selector: selector.key
    )
    return lists.map(tuple)


def namespaces() -> st.SearchStrategy[Namespaces | None]:
    names = st.lists(words(NAMES), min_size=1, max_size=3)
    return st.one_of(
        st.none(),
        st.sampled_from(Scope),
        names.map(lambda each: NamespaceNames(tuple(each))),
        selector_lists(LABEL_OPERATORS).map(NamespaceSelector),
    )


TOPOLOGY_KEYS = [*TOPOLOGIES.values(), "example.com/row", "row", "weight"]


@st.composite
def spread_rules(draw: st.DrawFn) -> Rule:
    """Draw a SPREAD rule."""
    return Rule(
        Verb.SPREAD,
        Target.PODS,
        draw(selector_lists(LABEL_OPERATORS)),
        None,
        draw(words(TOPOLOGY_KEYS)),
        None,
        NO_SPAN,
        draw(st.none() | st.integers(1, 999_999_999)),
        draw(st.booleans()),
    )


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    """Draw a rule that can be written as text."""
    verb = draw(st.sampled_from(Verb))
    if verb is Verb.SPREAD:
        return draw(spread_rules())
    target = draw(st.sampled_from(Target))
    on_pods = target is Target.PODS
    return Rule(
        verb,
        target,
        draw(selector_lists(LABEL_OPERATORS if on_pods else LABEL_OPERATORS + COMPARISONS)),
        draw(namespaces()) if on_pods else None,
        draw(words(TOPOLOGY_KEYS)) if on_pods else Word(TOPOLOGIES["node"], NO_SPAN),
        None if verb.hard else draw(st.none() | st.integers(1, 100)),
        NO_SPAN,
    )


FRAGMENTS = [
    *(
        "REQUIRE",
        "prefer",
        "AVOID",
        "REPEL",
        "SPREAD",
        "skew=2",
        "hard",
        "pods",
        "nodes",
        "has",
        "not",
        "notin",
        "in",
        "on",
    ),
    *("own", "all", "namespace", "namespaces", "node", "zone", "weight", "weight=5", "app=web"),
    *("(", ")", "[", "]", ",", ";", "=", "==", "!=", "!", "<", ">=", "#", "\n", "\r\n", "\t", " "),
    *("pods(app=web)", "nodes(cores>5)", "app in [a, b]", "64Gi", "16+", "-1", "9" * 20, '"', "*"),
    *("a:b", "a|\u200b", "'a b'", "//", "and", "||", "is", "any", "REQIRE", "pod", "weigt=1"),
    *("\0", "\ufeff", "\u200b", "\u00a0", "\u2028", "\ud800", "\u0130", "\u5bae", "x" * 70),
]


def word_soups() -> st.SearchStrategy[str]:
    """Return words and signs of the language in any order."""
    words = st.lists(st.sampled_from(FRAGMENTS), max_size=25)
    return st.builds(lambda sep, parts: sep.join(parts), st.sampled_from(["", " "]), words)


@st.composite
def misspelt(draw: st.DrawFn, text: str) -> str:
    """Draw a text with a part removed or something inserted."""
    start = draw(st.integers(0, len(text)))
    end = draw(st.integers(start, min(start + 3, len(text))))
    return text[:start] + draw(st.sampled_from(["", *FRAGMENTS])) + text[end:]
