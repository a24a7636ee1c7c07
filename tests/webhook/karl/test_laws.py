"""What is true of every text and of every rule."""

from contextlib import suppress
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.webhook.karl.strategies import misspelt, rules, soups
from webhook import karl
from webhook.karl.syntax import Rule
from webhook.karl.text import selector_text
from webhook.kube.affinity_validation import validate_affinity
from webhook.model import Scope

SCOPES = st.sampled_from(Scope)


def check(text: str, scope: Scope) -> None:
    """Compile a text; see that the result is sound, or that the error can be shown."""
    try:
        affinity = karl.compile(text, scope=scope)
    except karl.KarlError as error:
        check_faults(text, error.errors)
    else:
        assert affinity
        assert validate_affinity(affinity) == []
        again = "\n".join(map(karl.to_text, karl.parse(text)))
        assert karl.compile(again, scope=scope) == affinity


def check_faults(text: str, faults: tuple[karl.Fault, ...]) -> None:
    assert faults
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for fault in faults:
        check_fault(lines, fault)


def check_fault(lines: list[str], fault: karl.Fault) -> None:
    assert 1 <= fault.line <= len(lines)
    assert 1 <= fault.column <= len(lines[fault.line - 1]) + 1
    assert fault.message
    assert fault.hint
    assert all(line.isprintable() for line in str(fault).split("\n"))
    assert len(str(fault).split("\n")) == 4
    assert set(fault.underline.strip()) == {"^"}


@given(st.text(), SCOPES)
def test_any_text_compiles_or_is_an_error_with_places(text: str, scope: Scope) -> None:
    check(text, scope)


@given(st.none() | st.binary() | st.lists(st.text()) | st.text(), st.none() | st.text() | SCOPES)
def test_whatever_is_given_compiles_or_is_an_error_of_the_language(text: Any, scope: Any) -> None:
    with suppress(karl.KarlError):
        karl.compile(text, scope=scope)


@given(soups(), SCOPES)
def test_any_jumble_of_words_compiles_or_is_an_error_with_places(text: str, scope: Scope) -> None:
    check(text, scope)


@given(st.data(), st.lists(rules(), min_size=1, max_size=2), SCOPES)
def test_any_misspelt_rule_compiles_or_is_an_error_with_places(
    data: st.DataObject, drawn: list[Rule], scope: Scope
) -> None:
    check(data.draw(misspelt("; ".join(map(karl.to_text, drawn)))), scope)


@given(rules(), SCOPES)
def test_printing_and_reading_a_rule_gives_the_rule(rule: Rule, scope: Scope) -> None:
    text = karl.to_text(rule)
    assert karl.parse(text) == (rule,)
    assert karl.to_text(*karl.parse(text)) == text
    check(text, scope)


@given(rules(), SCOPES)
def test_every_rule_is_one_english_sentence_without_line_ends(rule: Rule, scope: Scope) -> None:
    sentence = karl.to_english(rule, scope=scope)
    assert sentence.startswith("A convertor pod ")
    assert sentence.endswith(".")
    assert sentence.isprintable()
    for selector in rule.selectors:
        assert selector.key.text in sentence
        assert all(value.text in sentence for value in selector.values)


@given(st.lists(rules(), min_size=1, max_size=3))
def test_a_rule_says_where_it_stands_in_the_text(drawn: list[Rule]) -> None:
    text = " ;\n# comment\n ".join(map(karl.to_text, drawn))
    for rule in karl.parse(text):
        assert text[slice(*rule.span)] == karl.to_text(rule)
        for selector in rule.selectors:
            assert text[slice(*selector.span)] == selector_text(selector)
            for word in (selector.key, *selector.values):
                assert text[slice(*word.span)] == word.text
