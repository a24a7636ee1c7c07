"""Messages quote the found value and suggest a correction."""

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.kube.messages import (
    correct_spelling,
    describe_value,
    did_you_mean,
    expected_one_of,
    fit,
    join_with_or,
    quote,
    truncate_bytes,
)


@pytest.mark.parametrize(
    ("value", "description"),
    [
        ("off", "'off'"),
        ({"a": 1}, "a map"),
        ([], "a list"),
        (None, "null"),
        (True, "true"),
        (16, "16"),
        (1.5, "1.5"),
        pytest.param(10**5000, "a number", id="too long to print"),
        (float("nan"), "a number"),
        (dt.date(2026, 1, 1), "a date"),
    ],
)
def test_a_value_is_described(value: Any, description: str) -> None:
    assert describe_value(value) == description


@given(st.text())
def test_a_quoted_text_is_one_short_line(text: str) -> None:
    assert quote(text).isprintable()
    assert len(quote("x" * 1000)) == 82


@pytest.mark.parametrize(
    ("text", "quoted"),
    [("web", "'web'"), ("it's", "'it's'"), ("a\nb\x00\ud800", "'a\\nb\\u0000\\ud800'"), ("", "''")],
)
def test_invisible_characters_are_escaped_in_a_quoted_text(text: str, quoted: str) -> None:
    assert quote(text) == quoted


@pytest.mark.parametrize(
    ("choices", "joined"),
    [(["a"], "a"), (["a", "b"], "a or b"), (["a", "b", "c"], "a, b or c")],
)
def test_choices_are_joined_with_or(choices: list[str], joined: str) -> None:
    assert join_with_or(choices) == joined


@pytest.mark.parametrize(
    ("word", "hint"),
    [("Merge", "; did you mean 'merge'?"), ("repalce", "; did you mean 'replace'?"), ("x", "")],
)
def test_a_similar_choice_is_suggested(word: str, hint: str) -> None:
    assert did_you_mean(word, ["merge", "replace"]) == hint
    assert expected_one_of("policy", ["merge", "replace"], word) == (
        f"expected policy merge or replace, found '{word}'{hint}"
    )


REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


@pytest.mark.parametrize(
    ("word", "choices", "correction"),
    [
        ("matchExpression", ["matchFields", "matchExpressions"], "matchExpressions"),
        ("matchLabelKey", ["mismatchLabelKeys", "matchLabelKeys"], "matchLabelKeys"),
        ("labelselector", ["labelSelector"], "labelSelector"),
        ("podAffinty", ["podAntiAffinity", "podAffinity"], "podAffinity"),
        ("requiredDuringScheduling", [REQUIRED], REQUIRED),
        ("valeus", ["values"], None),
        ("value", ["key", "values"], "values"),
        ("efect", ["effect"], "effect"),
        ("mismatchLabelKeys", ["matchLabelKeys"], None),
        ("requiredDuringSchedulingRequiredDuringExecution", [REQUIRED], None),
        ("convertor", ["convertorLabels"], None),
        ("", ["key"], None),
    ],
)
def test_only_sure_misspellings_are_corrected(
    word: str, choices: list[str], correction: str | None
) -> None:
    assert correct_spelling(word, choices) == correction


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a" * 10, "a" * 10), ("a" * 11, "aaaaaa ..."), ("é" * 5, "é" * 5), ("aé" * 5, "aéaé ...")],
)
def test_a_text_is_truncated_to_bytes_between_characters(text: str, expected: str) -> None:
    assert truncate_bytes(text, 10) == expected


def test_texts_that_do_not_fit_are_counted() -> None:
    assert fit([], 10) == []
    assert fit(["a" * 4, "b" * 4], 10) == ["aaaa", "bbbb"]
    assert fit(["a" * 4, "b" * 5, "", "c"], 10) == ["aaaa", "and 3 more"]


def test_a_single_text_that_does_not_fit_is_truncated() -> None:
    assert fit(["x" * 11, "y"], 10) == ["xxxxxxxxx…", "and 1 more"]


@given(st.lists(st.integers(0, 200), max_size=20))
def test_texts_that_fit_have_a_limited_length(lengths: list[int]) -> None:
    texts = fit(("x" * length for length in lengths), 100)
    assert len("; ".join(texts)) <= 100 + len("; and 20 more") + len(texts)
