"""Decoding of AdmissionReviews of admission.k8s.io/v1."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.builders import POD_KIND, admission_review
from webhook.admission.review import BadReview, decode
from webhook.kube.objects import Json
from webhook.model import Reason, Request

UID = "705ab4f5-6393-11e8-b7cc-42010a800002"
POD: Json = {"metadata": {"labels": {"forklift.app": "virt-v2v"}}, "spec": {"unknown": [1, 2.5]}}
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


def test_the_review_of_a_new_pod_is_decoded() -> None:
    assert decode(encode_review()) == Request(
        uid=UID, operation="CREATE", kind="v1/Pod", namespace="target", object=POD
    )


def test_a_null_field_is_treated_as_absent() -> None:
    body = encode_review(namespace=None, name=None, subResource=None, dryRun=None, object=None)

    assert decode(body) == Request(uid=UID, operation="CREATE", kind="v1/Pod")


def test_the_review_of_any_object_and_operation_is_decoded() -> None:
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
        old_object=POD,
    )


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
        (encode_review(uid=7), "'request.uid': expected text, found a whole number", ""),
        (encode_review(drop="kind"), "'request.kind' is missing", UID),
        (encode_review(object=[]), "'request.object': expected a map, found a list", UID),
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
