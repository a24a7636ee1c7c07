"""What Kubernetes would not read is refused with its place; aliases stay within bounds."""

import pytest

from webhook.kube import manifests
from webhook.kube.manifests import DocumentError


def refused(text: str) -> str:
    with pytest.raises(DocumentError) as error:
        manifests.parse_documents(text, is_json=False)
    return str(error.value)


def test_aliases_stand_for_what_they_name() -> None:
    text = "a: &a {x: [1]}\nb: [*a, *a]\n---\nc: &a d\n"
    assert manifests.parse_documents(text, is_json=False) == [
        (1, {"a": {"x": [1]}, "b": [{"x": [1]}, {"x": [1]}]}),
        (4, {"c": "d"}),
    ]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("affinity: &a {podAffinity: *a}", "line 1 column 11"),
        ("&a [*a]", "line 1 column 1"),
        ("x:\n- &a\n  b: [{c: *a}]", "line 2 column 3"),
        ("a: &a {<<: *a}", "line 1 column 4"),
        ("a: &a\n  b: &b {c: *a}\n  d: *b", "line 1 column 4"),
    ],
)
def test_a_value_that_contains_itself_is_refused(text: str, place: str) -> None:
    message = "the value contains itself: an alias in it stands for the whole"
    assert refused(text) == f"{place}: {message}"


def test_a_document_that_its_aliases_blow_up_is_refused_at_once() -> None:
    grown = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 60)]
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]", *grown]
    assert refused("\n".join(lines)) == (
        "line 1 column 1: aliases add more than 1000000 characters to the document"
    )


def test_a_long_text_may_not_be_repeated_for_ever() -> None:
    assert "aliases add more" in refused(f"a: &a {'x' * 20_000}\nb: [{', '.join(['*a'] * 100)}]")


def test_a_large_document_with_few_aliases_is_fine() -> None:
    many = "\n".join(f"k{n}: {{a: *a, b: [,]}}" for n in range(500))
    ((_, found),) = manifests.parse_documents(
        f"a: &a {{x: y}}\n{many.replace('[,]', '[]')}", is_json=False
    )
    assert found["k499"] == {"a": {"x": "y"}, "b": []}
