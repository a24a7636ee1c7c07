"""Manifests that Kubernetes rejects are errors with a position; aliases are limited."""

import pytest

from webhook.kube import manifests
from webhook.kube.manifests import DocumentError
from webhook.kube.sizes import MAX_CONFIG_CHARACTERS


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


def test_aliases_of_all_documents_are_limited_together() -> None:
    document = f"a: &a {'x' * 2000}\nb: [{', '.join(['*a'] * 300)}]\n"
    assert manifests.parse_document(document)
    assert "line 4 column 1: aliases add more" in error_of(f"{document}---\n{document}")


def test_a_large_document_with_few_aliases_is_accepted() -> None:
    many = "\n".join(f"k{n}: {{a: *a, b: [,]}}" for n in range(500))
    ((_, found),) = manifests.parse_documents(
        f"a: &a {{x: z}}\n{many.replace('[,]', '[]')}", is_json=False
    )
    assert found["k499"] == {"a": {"x": "z"}, "b": []}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("y", True),
        ("N", False),
        ("off", False),
        ("12:30", "12:30"),
        ("1:2:3.5", "1:2:3.5"),
        ("2024-01-01", "2024-01-01"),
        ("1e3", 1000.0),
        ("0o17", 15),
        ("=", "="),
        ("-.5", -0.5),
        ("1_000", 1000),
        ("0x1F", 31),
        ("017", 15),
        ("08", 8.0),
        ("0b11", 3),
        ("-7", -7),
        (".inf", float("inf")),
        ("v1", "v1"),
        ("1.2.3", "1.2.3"),
        ("16Gi", "16Gi"),
        ("''", ""),
        ("~", None),
        ("", None),
    ],
)
def test_scalars_have_the_types_that_kubernetes_reads(text: str, value: object) -> None:
    found = manifests.parse_document(f"a: {text}")["a"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_files_are_utf8_or_utf16_with_a_mark(encoding: str) -> None:
    assert manifests.decode("a: \u65e5".encode(encoding)) == "a: \u65e5"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\xe9", "byte 0 is not UTF-8"),
        ("a".encode("utf-16") + b"x", "byte 4 is not UTF-16"),
        (b"a\xff\xfe", "byte 1 is not UTF-8"),
    ],
)
def test_other_encodings_are_an_error(data: bytes, message: str) -> None:
    with pytest.raises(DocumentError, match=message):
        manifests.decode(data)


@pytest.mark.parametrize(
    ("text", "document"),
    [
        ("", None),
        ("# a\n", None),
        ("a: 1\n---\nb: [", {"a": 1}),
        ("a: 1\na: 2", {"a": 2}),
        ("{a: 1, b: {c: 1, c: 2}}", {"a": 1, "b": {"c": 2}}),
    ],
)
def test_of_several_documents_and_keys_kubectl_reads_one(text: str, document: object) -> None:
    assert manifests.parse_first_document(text) == document


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: *secret", "line 1 column 4: expected YAML"),
        ("a: !secret b", "line 1 column 4: expected YAML"),
        ("a: 0x_", "line 1 column 4: expected YAML with JSON values"),
        ("{1: a}", "line 1 column 2: expected YAML with JSON values"),
        ("a: \x00", "expected YAML"),
        ("a: b: c", "line 1 column 5: expected YAML: mapping values are not allowed"),
    ],
)
def test_an_error_has_a_message_without_contents(text: str, message: str) -> None:
    with pytest.raises(DocumentError) as caught:
        manifests.parse_first_document(text)
    assert caught.value.without_contents.startswith(message)
    assert "secret" not in caught.value.without_contents


def test_a_configuration_that_is_too_large_is_an_error_before_it_is_parsed() -> None:
    largest = f"a: {'x' * (MAX_CONFIG_CHARACTERS - 3)}"
    assert manifests.parse_document(largest) == {"a": largest[3:]}
    with pytest.raises(DocumentError) as error:
        manifests.parse_document(f"{largest}x")
    assert str(error.value) == "expected at most 32768 characters, found 32769"
