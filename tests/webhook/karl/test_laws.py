"""Properties of every text and every rule."""

from contextlib import suppress
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.support.karl_strategies import misspelt, rules, word_soups
from webhook import karl
from webhook.karl.syntax import Rule, Verb
from webhook.karl.text import format_selector
from webhook.kube.affinity_validation import validate_affinity
from webhook.model import Scope

SCOPES = st.sampled_from(Scope)


def check(text: str, scope: Scope) -> None:
    """Check that a text compiles to a valid affinity, or that its errors are well-formed."""
    try:
        fields = karl.compile_all(text, scope=scope)
    except karl.KarlError as error:
        check_errors(text, error.errors)
    else:
        assert fields
        assert validate_affinity(fields.get("affinity", {})) == []
        again = "\n".join(map(karl.to_text, karl.parse(text)))
        assert karl.compile_all(again, scope=scope) == fields


def check_errors(text: str, errors: tuple[karl.RuleError, ...]) -> None:
    assert errors
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for error in errors:
        check_error(lines, error)


def check_error(lines: list[str], error: karl.RuleError) -> None:
    assert 1 <= error.line <= len(lines)
    assert 1 <= error.column <= len(lines[error.line - 1]) + 1
    assert error.message
    assert error.hint
    assert all(line.isprintable() for line in str(error).split("\n"))
    assert len(str(error).split("\n")) == 4
    assert set(error.underline.strip()) == {"^"}


@given(st.text(), SCOPES)
def test_any_text_compiles_or_has_errors_with_positions(text: str, scope: Scope) -> None:
    check(text, scope)


@given(st.none() | st.binary() | st.lists(st.text()) | st.text(), st.none() | st.text() | SCOPES)
def test_any_arguments_compile_or_raise_karl_error(text: Any, scope: Any) -> None:
    with suppress(karl.KarlError):
        karl.compile(text, scope=scope)


@given(word_soups(), SCOPES)
def test_any_sequence_of_words_compiles_or_has_errors_with_positions(
    text: str, scope: Scope
) -> None:
    check(text, scope)


@given(st.data(), st.lists(rules(), min_size=1, max_size=2), SCOPES)
def test_any_misspelt_rule_compiles_or_has_errors_with_positions(
    data: st.DataObject, drawn: list[Rule], scope: Scope
) -> None:
    check(data.draw(misspelt("; ".join(map(karl.to_text, drawn)))), scope)


@given(rules(), SCOPES)
def test_formatting_and_parsing_a_rule_gives_the_rule(rule: Rule, scope: Scope) -> None:
    text = karl.to_text(rule)
    assert karl.parse(text) == (rule,)
    assert karl.to_text(*karl.parse(text)) == text
    check(text, scope)


@given(rules(), SCOPES)
def test_every_rule_is_translated_to_one_sentence(rule: Rule, scope: Scope) -> None:
    sentence = karl.to_english(rule, scope=scope)
    assert sentence.startswith("A convertor pod " if rule.verb is not Verb.SPREAD else "The pods ")
    assert sentence.endswith(".")
    assert sentence.isprintable()
    for selector in rule.selectors:
        assert selector.key.text in sentence
        assert all(value.text in sentence for value in selector.values)


@given(st.lists(rules(), min_size=1, max_size=3))
def test_the_spans_of_a_rule_are_its_positions_in_the_text(drawn: list[Rule]) -> None:
    text = " ;\n# comment\n ".join(map(karl.to_text, drawn))
    for rule in karl.parse(text):
        assert text[slice(*rule.span)] == karl.to_text(rule)
        for selector in rule.selectors:
            assert text[slice(*selector.span)] == format_selector(selector)
            for word in (selector.key, *selector.values):
                assert text[slice(*word.span)] == word.text
