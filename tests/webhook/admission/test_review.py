"""Decoding of AdmissionReviews of admission.k8s.io/v1."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.builders import PLAN_KIND, POD_KIND, admission_review, plan
from webhook.admission.review import BadReview, decode
from webhook.kube.objects import Json
from webhook.model import Reason, Request

UID = "705ab4f5-6393-11e8-b7cc-42010a800002"
POD: Json = {
    "metadata": {
        "name": "db-vm-1",
        "labels": {"forklift.app": "virt-v2v"},
        "annotations": None,
        "ownerReferences": [{"kind": "Plan"}],
        "uid": "5c6a",
    },
    "spec": {"nodeSelector": {"disk": "nvme"}, "containers": [{"name": "main", "image": "x"}]},
    "status": {},
}
READ_OF_POD = {
    "metadata": {
        "name": "db-vm-1",
        "labels": {"forklift.app": "virt-v2v"},
        "annotations": None,
        "ownerReferences": [{"kind": "Plan"}],
    },
    "spec": {"nodeSelector": {"disk": "nvme"}, "containers": [{"name": "main", "image": "x"}]},
}
REQUEST: Json = {
    "uid": UID,
    "resource": {"group": "", "version": "v1", "resource": "pods"},
    "requestKind": POD_KIND,
    "userInfo": {"username": "system:serviceaccount:konveyor-forklift:forklift-controller"},
    "oldObject": None,
    "dryRun": False,
    "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"},
}


def encode_review(*, drop: str = "", **changes: Any) -> bytes:
    """Return the review of a new pod, with changes of its request or without one field."""
    review = admission_review(POD, **REQUEST | changes)
    review["request"].pop(drop, None)
    return json.dumps(review).encode()


def test_of_a_new_pod_only_what_its_placement_needs_is_decoded() -> None:
    assert decode(encode_review()) == Request(
        uid=UID,
        operation="CREATE",
        kind="v1/Pod",
        namespace="target",
        name="db-vm-1",
        object=READ_OF_POD,
    )


def test_of_a_plan_only_its_settings_are_decoded() -> None:
    annotations = {"annotations": {"a": "b"}}
    read = plan(metadata=annotations, spec={"convertorLabels": {"a": "b"}})
    sent = plan(metadata=annotations | {"managedFields": []}, spec=read["spec"] | {"vms": [{}]})
    request = decode(encode_review(kind=PLAN_KIND, object=sent, oldObject=sent | {"spec": None}))

    assert request.object == {"metadata": read["metadata"], "spec": read["spec"]}
    assert request.old_object == {"metadata": read["metadata"]}


def test_a_null_field_is_treated_as_absent() -> None:
    body = encode_review(namespace=None, name=None, subResource=None, dryRun=None, object=None)

    assert decode(body) == Request(uid=UID, operation="CREATE", kind="v1/Pod")


def test_the_request_of_any_kind_and_operation_is_decoded_without_its_objects() -> None:
    body = encode_review(
        kind={"group": "policy", "version": "v1", "kind": "Eviction"},
        operation="DELETE",
        name="db-vm-1",
        subResource="eviction",
        dryRun=True,
        object=None,
        oldObject=POD,
    )

    assert decode(body) == Request(
        uid=UID,
        operation="DELETE",
        kind="policy/v1/Eviction",
        namespace="target",
        name="db-vm-1",
        subresource="eviction",
        dry_run=True,
    )


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({}, "db-vm-1"),
        ({"name": "of-the-request"}, "of-the-request"),
        ({"object": {"metadata": {"generateName": "db-vm-"}}}, "db-vm-"),
        ({"object": {"metadata": {"name": "", "generateName": "db-vm-"}}}, "db-vm-"),
        ({"object": {"metadata": {"name": 5}}}, ""),
        ({"object": {"metadata": None}}, ""),
        ({"object": None}, ""),
        ({"name": "x" * 254}, "x" * 252 + "…"),
    ],
)
def test_the_name_is_that_of_the_request_or_the_pod_or_its_generate_name(
    changes: Json, name: str
) -> None:
    assert decode(encode_review(**changes)).name == name


def test_texts_are_as_long_as_kubernetes_allows_and_longer_ones_are_truncated() -> None:
    long = "x" * 2**20
    kind = {"group": long, "version": long, "kind": long}
    request = decode(
        encode_review(kind=kind, operation=long, namespace=long, name=long, subResource=long)
    )

    texts = (request.kind, request.namespace, request.name, request.subresource)
    assert [len(text) for text in texts] == [253] * 4
    assert len(request.operation) == 63


@pytest.mark.parametrize(
    ("in_pod", "namespace"), [("target", "target"), (None, ""), (5, ""), ([], "")]
)
def test_the_namespace_is_that_of_the_pod_if_the_request_has_none(
    in_pod: object, namespace: str
) -> None:
    body = encode_review(drop="namespace", object={"metadata": {"namespace": in_pod}})

    assert decode(body).namespace == namespace


WRONG_KIND = (
    "expected kind 'AdmissionReview' of 'admission.k8s.io/v1', found {}; "
    "a webhook configuration must say admissionReviewVersions: [v1]"
)


@pytest.mark.parametrize(
    ("body", "message", "uid"),
    [
        (b"", "the body is not JSON: Input data was truncated", ""),
        (
            b"uid=1",
            "the body is not JSON: JSON is malformed: invalid character (byte 0)",
            "",
        ),
        (
            b"{} {}",
            "the body is not JSON: JSON is malformed: trailing characters (byte 4)",
            "",
        ),
        (
            b'{"kind": "\xff"}',
            (
                "the body is not JSON: 'utf-8' codec can't decode byte 0xff in position 0: "
                "invalid start byte"
            ),
            "",
        ),
        (
            b'{"x": ' + b"[" * 100_000,
            "the body is nested too deeply",
            "",
        ),
        (b"[]", "'the body': expected a map, found a list", ""),
        (b"[1", "'the body': expected a map, found a list", ""),
        (b"{}", WRONG_KIND.format("'' of ''"), ""),
        (b'{"kind": "Pod", "apiVersion": "v1"}', WRONG_KIND.format("'Pod' of 'v1'"), ""),
        (b'{"kind": [], "apiVersion": 1}', WRONG_KIND.format("'[]' of '1'"), ""),
        (
            encode_review().replace(b"k8s.io/v1", b"k8s.io/v1beta1"),
            WRONG_KIND.format("'AdmissionReview' of 'admission.k8s.io/v1beta1'"),
            UID,
        ),
        (
            encode_review(drop="kind").replace(b'"AdmissionReview"', b'"ConversionReview"'),
            WRONG_KIND.format("'ConversionReview' of 'admission.k8s.io/v1'"),
            UID,
        ),
        (
            b'{"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1"}',
            "'request' is missing: is this a response?",
            "",
        ),
        (encode_review(drop="uid"), "'request.uid' is missing", ""),
        (encode_review(uid=""), "'request.uid' is empty", ""),
        (encode_review(uid="x" * 254), "'request.uid': expected at most 253 characters", ""),
        (
            encode_review(uid="x" * 254, kind=5),
            "'request.kind': expected a map, found a whole number",
            "",
        ),
        (encode_review(uid=7), "'request.uid': expected text, found a whole number", ""),
        (encode_review(drop="kind"), "'request.kind' is missing", UID),
        (encode_review(object=[]), "'request.object': expected a map, found a list", UID),
        (encode_review(oldObject=[]), "'request.oldObject': expected a map, found a list", UID),
        (
            encode_review(object={"metadata": "x"}),
            "'request.object.metadata': expected a map, found text",
            UID,
        ),
        (
            b'{"kind": "' + b"x" * 2**20 + b'"}',
            WRONG_KIND.format(f"'{'x' * 79}…' of ''"),
            "",
        ),
        (
            b'{"kind": [' + b"0," * 2**20 + b'0], "apiVersion": "\\u001b[2J"}',
            WRONG_KIND.format(f"'[{'0,' * 39}…' of '\\u001b[2J'"),
            "",
        ),
    ],
)
def test_a_body_that_is_not_a_review_is_an_error(body: bytes, message: str, uid: str) -> None:
    with pytest.raises(BadReview) as raised:
        decode(body)

    bad = raised.value
    assert (bad.status, bad.reason, bad.message, bad.uid, str(bad)) == (
        400,
        Reason.MALFORMED_REVIEW,
        message,
        uid,
        message,
    )


@given(
    st.binary()
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.dictionaries(
            st.sampled_from(["kind", "apiVersion", "request", "uid", "object"]), inner
        ),
    ).map(lambda value: json.dumps(value).encode())
)
def test_any_other_body_is_an_error(body: bytes) -> None:
    with pytest.raises(BadReview):
        decode(body)
