"""Compiled node terms are equivalent to their rules, for every possible node."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.support.node_affinity import Labels, admits, every_node, score
from webhook import karl
from webhook.karl.syntax import Operator, Rule, Selector, Verb

VALUES: dict[str, list[str | None]] = {
    "disk": [None, "ssd", "nvme"],
    "cores": [None, "0", "5", "006", "16", "many"],
    "slots": [None, "3", "x"],
    "memory": [None, "1Gi", "2G", "4Gi", "plenty"],
}
NODE_VALUES = {key: [value for value in values if value] for key, values in VALUES.items()}
NODES = every_node(VALUES)
SIZES = {"1Gi": 2**30, "2G": 2 * 10**9, "4Gi": 2**32, "3": 3, "0": 0, "5": 5, "006": 6, "16": 16}
COMPARISONS = {Operator.GREATER, Operator.AT_LEAST, Operator.LESS, Operator.AT_MOST}


def compare(keys: list[str], operators: list[str], operands: list[str]) -> st.SearchStrategy[str]:
    parts = (st.sampled_from(options) for options in (keys, operators, operands))
    return st.tuples(*parts).map("".join)


def lists(key: str) -> st.SearchStrategy[str]:
    values = st.lists(st.sampled_from(NODE_VALUES[key]), min_size=1, max_size=2).map(", ".join)
    return st.builds("{} {} [{}]".format, st.just(key), st.sampled_from(["in", "not in"]), values)


KEYS = st.sampled_from(list(NODE_VALUES))
SELECTORS = st.one_of(
    KEYS.flatmap(lists),
    st.builds("{} {}".format, st.sampled_from(["has", "not has"]), KEYS),
    compare(["cores", "slots"], [">", ">=", "<", "<="], ["1", "3", "5", "6", "15", "16"]),
    compare(["memory"], [">="], ["1Gi", "2G", "4Gi"]),
)
SELECTOR_LISTS = st.lists(SELECTORS, min_size=1, max_size=4)
SEVERAL = SELECTOR_LISTS.map(", ".join)
HARD = st.builds("{} nodes({})".format, st.sampled_from(["REQUIRE", "AVOID"]), SEVERAL)
SOFT = st.builds(
    "{} nodes({}) weight={}".format,
    st.sampled_from(["PREFER", "REPEL"]),
    SEVERAL,
    st.integers(1, 100),
)


def selector_matches(selector: Selector, node: Labels) -> bool | None:
    """Return whether a selector matches a node; None where it compares no integer."""
    value = node.get(selector.key.text)
    operands = [word.text for word in selector.values]
    match selector.operator:
        case Operator.EQUAL | Operator.IN:
            return value in operands
        case Operator.NOT_EQUAL | Operator.NOT_IN:
            return value not in operands
        case Operator.HAS:
            return value is not None
        case Operator.NOT_HAS:
            return value is None
    return value is not None and value_matches(selector.operator, value, operands[0])


def value_matches(operator: Operator, value: str, operand: str) -> bool | None:
    if not operand.isdigit():
        return value in SIZES and SIZES[value] >= SIZES[operand]
    if not value.isdigit():
        return None
    return {
        Operator.GREATER: int(value) > int(operand),
        Operator.AT_LEAST: int(value) >= int(operand),
        Operator.LESS: int(value) < int(operand),
        Operator.AT_MOST: int(value) <= int(operand),
    }[operator]


def allows(rule: Rule, node: Labels) -> bool:
    """Return whether a REQUIRE or AVOID rule allows a node."""
    held = [selector_matches(selector, node) for selector in rule.selectors]
    return False in held if rule.verb is Verb.AVOID else all(held)


def rewards(rule: Rule, node: Labels) -> bool:
    """Return whether a PREFER or REPEL rule gives a node its weight."""
    held = [selector_matches(selector, node) for selector in rule.selectors]
    return False in held if rule.verb is Verb.REPEL else all(held)


def compile_or_none(text: str) -> Any:
    """Return the affinity, or None if the rules are contradictory."""
    try:
        return karl.compile(text, node_values=NODE_VALUES)
    except karl.KarlError as error:
        if not all(is_contradiction(each) for each in error.errors):
            raise
        return None


def is_contradiction(error: karl.RuleError) -> bool:
    return "contradicts" in error.message or error.message.startswith("no node meets")


def compared(rule: Rule) -> set[str]:
    """Return the labels that a rule compares as integers."""
    return {
        selector.key.text
        for selector in rule.selectors
        if selector.operator in COMPARISONS and selector.values[0].text.isdigit()
    }


@given(st.lists(HARD, min_size=1, max_size=3).map("\n".join))
def test_a_node_matches_if_every_hard_rule_allows_it(text: str) -> None:
    affinity = compile_or_none(text)
    if affinity is None:
        return
    rules = karl.parse(text)
    for node in NODES:
        assert admits(affinity, node) == all(allows(rule, node) for rule in rules), node


@given(SOFT)
def test_a_node_gets_the_weight_of_a_soft_rule_at_most_once(text: str) -> None:
    affinity = compile_or_none(text)
    if affinity is None:
        return
    (rule,) = karl.parse(text)
    assert rule.weight
    for node in NODES:
        expected = rule.weight if rewards(rule, node) else 0
        not_an_integer = None in [selector_matches(selector, node) for selector in rule.selectors]
        # disjoint terms miss a node with two comparisons if a label is not an integer
        allowed = {0, expected} if not_an_integer and len(compared(rule)) > 1 else {expected}
        assert score(affinity, node) in allowed, node


@given(st.lists(SOFT, min_size=1, max_size=3))
def test_the_weights_of_several_soft_rules_add_up(texts: list[str]) -> None:
    affinity = compile_or_none("; ".join(texts))
    if affinity is None:
        return
    alone = [karl.compile(text, node_values=NODE_VALUES) for text in texts]
    for node in NODES:
        assert score(affinity, node) == sum(score(each, node) for each in alone)


@given(SELECTOR_LISTS)
def test_contradictory_selectors_match_no_node(selectors: list[str]) -> None:
    if compile_or_none(f"REQUIRE nodes({', '.join(selectors)})") is not None:
        return
    rules = karl.parse("\n".join(f"REQUIRE nodes({selector})" for selector in selectors))
    for node in NODES:
        assert not all(allows(rule, node) for rule in rules), node


@given(st.lists(HARD, min_size=2, max_size=3))
def test_contradictory_rules_leave_no_node(texts: list[str]) -> None:
    if any(compile_or_none(text) is None for text in texts):
        return
    if compile_or_none("; ".join(texts)) is not None:
        return
    rules = [karl.parse(text)[0] for text in texts]
    for node in NODES:
        assert not all(allows(rule, node) for rule in rules)
