"""The fields of an object that reviews read, and their limits."""

from typing import Any

import pytest

from tests.support.builders import CONVERTOR_LABELS, encode_review, minimal_pod
from webhook.admission.review import MAX_BODY_BYTES, decode
from webhook.kube.objects import Json
from webhook.kube.sizes import MAX_ANNOTATIONS_BYTES, MAX_FIELD_BYTES, MAX_POD_ENTRIES
from webhook.model import Request


def decode_pod(*, metadata: Json | None = None, **spec: Any) -> Request:
    return decode(encode_review(minimal_pod(metadata=metadata, **spec)))


def test_fields_that_are_not_read_may_have_any_size() -> None:
    size = MAX_BODY_BYTES // len("{},") - 1000
    large = b"[" + b"{}," * size + b"{}]"
    body = encode_review(minimal_pod(containers="LARGE")).replace(b'"LARGE"', large)

    assert len(body) < MAX_BODY_BYTES
    assert decode(body).object == {
        "metadata": {"labels": CONVERTOR_LABELS},
        "spec": {"containers": None},
    }


@pytest.mark.parametrize(
    ("path", "limit"),
    [
        ("metadata.labels", MAX_FIELD_BYTES),
        ("metadata.ownerReferences", MAX_FIELD_BYTES),
        ("metadata.annotations", MAX_ANNOTATIONS_BYTES),
        ("spec.nodeSelector", MAX_FIELD_BYTES),
        ("spec.affinity", MAX_FIELD_BYTES),
        ("spec.tolerations", MAX_FIELD_BYTES),
    ],
)
def test_a_field_that_is_too_large_is_not_decoded(path: str, limit: int) -> None:
    parent, _, field = path.partition(".")
    pod = minimal_pod()
    pod[parent][field] = "x" * (limit - 1)
    request = decode(encode_review(pod))

    assert request.malformed == f"'{path}' has {limit + 1} bytes of JSON, expected at most {limit}"
    assert request.object == {}


@pytest.mark.parametrize("character", ["x", "\x01"])
def test_the_largest_annotations_of_kubernetes_are_decoded(character: str) -> None:
    annotations = {"a": character * 256 * 2**10}

    assert decode_pod(metadata={"annotations": annotations}).object["metadata"]["annotations"] == (
        annotations
    )


MANY = {f"k{number}": "v" for number in range(MAX_POD_ENTRIES + 1)}


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"labels": []}, "'metadata.labels': expected a map, found a list"),
        ({"labels": {"a": 5}}, "'metadata.labels[...]': expected text, found a whole number"),
        ({"labels": {"a": "v" * 64}}, "'metadata.labels[...]': expected text of length <= 63"),
        ({"labels": {"k" * 318: ""}}, "'metadata.labels': expected text of length <= 317"),
        ({"labels": MANY}, "'metadata.labels': expected a map of length <= 1024"),
        ({"ownerReferences": {}}, "'metadata.ownerReferences': expected a list, found a map"),
        (
            {"ownerReferences": [{}] * (MAX_POD_ENTRIES + 1)},
            "'metadata.ownerReferences': expected a list of length <= 1024",
        ),
    ],
)
def test_labels_and_owner_references_are_those_of_kubernetes(metadata: Json, message: str) -> None:
    assert decode_pod(metadata=metadata).malformed == message


@pytest.mark.parametrize(
    ("affinity", "message"),
    [
        (
            b'"\xff"',
            (
                "'spec.affinity' is not JSON: 'utf-8' codec can't decode byte 0xff in position 0: "
                "invalid start byte"
            ),
        ),
        (b"1e999", "'spec.affinity': number out of range"),
    ],
)
def test_a_field_that_is_not_json_is_malformed(affinity: bytes, message: str) -> None:
    body = encode_review(minimal_pod(affinity="AFFINITY")).replace(b'"AFFINITY"', affinity)

    assert decode(body).malformed == message
