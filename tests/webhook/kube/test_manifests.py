"""Manifests that Kubernetes rejects are errors with a position; aliases are limited."""

import pytest

from webhook.kube import manifests
from webhook.kube.manifests import DocumentError


def error_of(text: str) -> str:
    with pytest.raises(DocumentError) as error:
        manifests.parse_documents(text, is_json=False)
    return str(error.value)


def test_aliases_are_resolved() -> None:
    text = "a: &a {x: [1]}\nb: [*a, *a]\n---\nc: &a d\n"
    assert manifests.parse_documents(text, is_json=False) == [
        (1, {"a": {"x": [1]}, "b": [{"x": [1]}, {"x": [1]}]}),
        (4, {"c": "d"}),
    ]


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("affinity: &a {podAffinity: *a}", "line 1 column 11"),
        ("&a [*a]", "line 1 column 1"),
        ("x:\n- &a\n  b: [{c: *a}]", "line 2 column 3"),
        ("a: &a {<<: *a}", "line 1 column 4"),
        ("a: &a\n  b: &b {c: *a}\n  d: *b", "line 1 column 4"),
    ],
)
def test_a_value_that_contains_itself_is_error_of(text: str, position: str) -> None:
    message = "the value contains itself through an alias"
    assert error_of(text) == f"{position}: {message}"


def test_exponentially_nested_aliases_are_rejected_at_once() -> None:
    grown = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 60)]
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]", *grown]
    assert error_of("\n".join(lines)) == (
        "line 1 column 1: aliases add more than 1000000 characters to the document"
    )


def test_repeated_aliases_of_a_long_text_are_rejected() -> None:
    assert "aliases add more" in error_of(f"a: &a {'x' * 20_000}\nb: [{', '.join(['*a'] * 100)}]")


def test_a_large_document_with_few_aliases_is_accepted() -> None:
    many = "\n".join(f"k{n}: {{a: *a, b: [,]}}" for n in range(500))
    ((_, found),) = manifests.parse_documents(
        f"a: &a {{x: y}}\n{many.replace('[,]', '[]')}", is_json=False
    )
    assert found["k499"] == {"a": {"x": "y"}, "b": []}
