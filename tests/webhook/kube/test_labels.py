"""Label keys, label values and namespaces are valid if the API server accepts them."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.paths import DATA
from webhook.kube import labels

VECTORS: dict[str, Any] = json.loads((DATA / "apimachinery.json").read_text(encoding="utf-8"))
Check = Callable[[str], str | None]


@pytest.mark.parametrize(
    ("check", "text", "accepted"),
    [
        pytest.param(check, text, accepted, id=f"{kind} {text!r:.40}")
        for kind, check in (
            ("keys", labels.check_key),
            ("values", labels.check_value),
            ("namespaces", labels.check_namespace),
        )
        for text, accepted in VECTORS[kind].items()
    ],
)
def test_a_text_is_valid_if_kubernetes_accepts_it(
    check: Check, text: str, *, accepted: bool
) -> None:
    assert (check(text) is None) == accepted


ALPHANUMERIC = "and must start and end with an alphanumeric character"


@pytest.mark.parametrize(
    ("check", "text", "phrase"),
    [
        (labels.check_key, "", "must not be empty"),
        (labels.check_key, "a" * 64, "must be no more than 63 characters"),
        (
            labels.check_key,
            "x y",
            f"must consist of alphanumeric characters, '-', '_' or '.', {ALPHANUMERIC}",
        ),
        (
            labels.check_key,
            "a/b/c",
            "must be a name with at most one prefix and '/', such as example.com/row",
        ),
        (labels.check_key, "example.com/", "name part must not be empty"),
        (labels.check_key, "/row", "prefix part must not be empty"),
        (
            labels.check_key,
            "Example.com/row",
            "prefix part must consist of lower case alphanumeric characters, '-' or '.', "
            + ALPHANUMERIC,
        ),
        (labels.check_value, "v" * 64, "must be no more than 63 characters"),
        (
            labels.check_value,
            "16+",
            f"must consist of alphanumeric characters, '-', '_' or '.', {ALPHANUMERIC}",
        ),
        (
            labels.check_namespace,
            "Storage",
            f"must consist of lower case alphanumeric characters or '-', {ALPHANUMERIC}",
        ),
    ],
)
def test_the_phrase_says_what_is_expected(check: Check, text: str, phrase: str) -> None:
    assert check(text) == phrase
