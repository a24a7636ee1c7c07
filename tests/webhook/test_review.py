"""The wire is admission.k8s.io/v1 to the letter, and what is not is refused with a reason."""

import base64
import json
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.model import Decision, Json, Mode, Outcome, PlanRef, Problem, Reason, Request
from webhook.review import BadReview, decode, encode

UID = "705ab4f5-6393-11e8-b7cc-42010a800002"
POD: Json = {"metadata": {"labels": {"forklift.app": "virt-v2v"}}, "spec": {"unknown": [1, 2.5]}}
PLAN = PlanRef(uid="b277", namespace="konveyor-forklift", name="db")
ADD: Json = {"op": "add", "path": "/metadata/labels/app", "value": "virt-v2v"}
KIND = {"group": "", "version": "v1", "kind": "Pod"}


def review(*, drop: str = "", **request: Any) -> bytes:
    asked = {
        "uid": UID,
        "kind": KIND,
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "requestKind": KIND,
        "namespace": "target",
        "operation": "CREATE",
        "userInfo": {"username": "system:serviceaccount:konveyor-forklift:forklift-controller"},
        "object": POD,
        "oldObject": None,
        "dryRun": False,
        "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"},
    } | request
    asked.pop(drop, None)
    whole = {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": asked}
    return json.dumps(whole).encode()


def answer(uid: str, decision: Decision) -> Json:
    whole = json.loads(encode(uid, decision))
    response: Json = whole.pop("response")
    assert whole == {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}
    assert response.pop("uid") == uid
    return response


def test_a_review_of_a_new_pod_is_read() -> None:
    assert decode(review()) == Request(
        uid=UID, operation="CREATE", kind="v1/Pod", namespace="target", object=POD
    )


def test_what_is_null_in_a_review_is_as_good_as_absent() -> None:
    body = review(namespace=None, name=None, subResource=None, dryRun=None, object=None)

    assert decode(body) == Request(uid=UID, operation="CREATE", kind="v1/Pod")


def test_a_review_of_anything_is_read() -> None:
    body = review(
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


FOREIGN = (
    "expected kind 'AdmissionReview' of 'admission.k8s.io/v1', found {}; "
    "a webhook configuration must say admissionReviewVersions: [v1]"
)


@pytest.mark.parametrize(
    ("body", "message", "uid"),
    [
        (b"", "the body is no JSON: Input data was truncated", ""),
        (
            b"uid=1",
            "the body is no JSON: JSON is malformed: invalid character (byte 0)",
            "",
        ),
        (
            b"{} {}",
            "the body is no JSON: JSON is malformed: trailing characters (byte 4)",
            "",
        ),
        (
            b'{"kind": "\xff"}',
            (
                "the body is no JSON: 'utf-8' codec can't decode byte 0xff in position 0: "
                "invalid start byte"
            ),
            "",
        ),
        (
            b'{"x": ' + b"[" * 100_000,
            "the body is no JSON that can be read: it is nested too deeply",
            "",
        ),
        (b"[]", "'the body': expected 'object', got 'array'", ""),
        (b"{}", FOREIGN.format("'' of ''"), ""),
        (b'{"kind": "Pod", "apiVersion": "v1"}', FOREIGN.format("'Pod' of 'v1'"), ""),
        (b'{"kind": [], "apiVersion": 1}', FOREIGN.format("'[]' of '1'"), ""),
        (
            review().replace(b"k8s.io/v1", b"k8s.io/v1beta1"),
            FOREIGN.format("'AdmissionReview' of 'admission.k8s.io/v1beta1'"),
            UID,
        ),
        (
            review(drop="kind").replace(b'"AdmissionReview"', b'"ConversionReview"'),
            FOREIGN.format("'ConversionReview' of 'admission.k8s.io/v1'"),
            UID,
        ),
        (
            b'{"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1"}',
            "'request' is missing: is this an answer?",
            "",
        ),
        (review(drop="uid"), "'request': object missing required field 'uid'", ""),
        (review(uid=""), "'request.uid' is empty", ""),
        (review(uid=7), "'request.uid': expected 'str', got 'int'", ""),
        (review(drop="kind"), "'request': object missing required field 'kind'", UID),
        (review(object=[]), "'request.object': expected 'object | null', got 'array'", UID),
    ],
)
def test_what_is_no_review_is_refused(body: bytes, message: str, uid: str) -> None:
    with pytest.raises(BadReview) as refused:
        decode(body)

    bad = refused.value
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
def test_no_body_breaks_the_reading_of_reviews(body: bytes) -> None:
    with pytest.raises(BadReview):
        decode(body)


def test_a_pod_that_is_none_of_ours_gets_the_shortest_answer() -> None:
    skipped = Decision(Outcome.SKIPPED, Reason.NOT_A_CONVERTOR_POD, "no label")

    assert encode(UID, skipped) == (
        b'{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview",'
        b'"response":{"uid":"705ab4f5-6393-11e8-b7cc-42010a800002","allowed":true}}'
    )


def test_a_placed_pod_gets_its_patch() -> None:
    placed = Decision(
        Outcome.PATCHED, Reason.PLACED, "placed", plan=PLAN, generation=3, patch=[ADD]
    )

    response = answer(UID, placed)

    assert json.loads(base64.b64decode(response.pop("patch"))) == [ADD]
    assert response == {
        "allowed": True,
        "patchType": "JSONPatch",
        "auditAnnotations": {
            "mode": "enforce",
            "outcome": "patched",
            "reason": "Placed",
            "plan": "konveyor-forklift/db",
            "generation": "3",
        },
    }


def test_a_pod_with_nothing_to_change_gets_no_patch() -> None:
    unchanged = Decision(Outcome.UNCHANGED, Reason.ALREADY_PLACED, plan=PLAN)

    assert answer(UID, unchanged) == {
        "allowed": True,
        "auditAnnotations": {
            "mode": "enforce",
            "outcome": "unchanged",
            "reason": "AlreadyPlaced",
            "plan": "konveyor-forklift/db",
            "generation": "0",
        },
    }


def test_audit_tells_the_patch_and_does_not_make_it() -> None:
    told = Decision(
        Outcome.WOULD_PATCH, Reason.WOULD_PLACE, mode=Mode.AUDIT, plan=PLAN, patch=[ADD]
    )

    assert answer(UID, told) == {
        "allowed": True,
        "auditAnnotations": {
            "mode": "audit",
            "outcome": "would-patch",
            "reason": "WouldPlace",
            "plan": "konveyor-forklift/db",
            "generation": "0",
            "patch": '[{"op":"add","path":"/metadata/labels/app","value":"virt-v2v"}]',
        },
    }


def test_a_denied_pod_is_denied_with_the_full_text() -> None:
    problem = Problem("Plan a/b annotation x/affinity", "1:1: unknown verb 'REQIRE'", "REQIRE\n^^^")
    denied = Decision(
        Outcome.DENIED, Reason.SETTINGS_INVALID, "all\nof it", plan=PLAN, problems=[problem]
    )

    assert answer(UID, denied) == {
        "allowed": False,
        "status": {"code": 403, "reason": "SettingsInvalid", "message": "all\nof it"},
        "auditAnnotations": {
            "mode": "enforce",
            "outcome": "denied",
            "reason": "SettingsInvalid",
            "plan": "konveyor-forklift/db",
            "generation": "0",
            "problems": ("Plan a/b annotation x/affinity: 1:1: unknown verb 'REQIRE'\nREQIRE\n^^^"),
        },
    }


def warned(*warnings: str) -> list[str]:
    decision = Decision(Outcome.SKIPPED, Reason.PLACED, warnings=list(warnings))
    found: list[str] = answer(UID, decision)["warnings"]
    return found


def test_a_warning_is_printable_and_has_no_prefix() -> None:
    assert warned("Warning: plan 'a'\n\tis\x1b odd ") == ["plan 'a' is  odd"]


def test_a_long_warning_becomes_several() -> None:
    words = " ".join(["placement"] * 30)

    lines = warned(words, "short")

    assert [len(line) for line in lines] == [119, 119, 59, 5]
    assert " ".join(lines[:-1]) == words


def test_more_warnings_than_the_api_server_takes_are_left_out_aloud() -> None:
    lines = warned(*(f"{number} {'é' * 100}" for number in range(50)))

    assert lines[-1] == "and more: see the webhook's log and the Plan's Events"
    assert lines[-2].startswith("18 ")


@given(st.lists(st.text(min_size=1, max_size=300), min_size=1, max_size=30))
def test_warnings_keep_the_limits_of_kubernetes(warnings: list[str]) -> None:
    lines = warned(*warnings)

    assert sum(len(line.encode()) for line in lines) <= 4096
    for line in lines:
        assert 0 < len(line) <= 120
        assert not any(unicodedata.category(character) == "Cc" for character in line)


def test_an_audit_annotation_keeps_the_limit_of_kubernetes() -> None:
    problems = [Problem("Plan a/b", "é" * 5000)]
    decision = Decision(Outcome.UNCHANGED, Reason.SETTINGS_INVALID, problems=problems)

    text = answer(UID, decision)["auditAnnotations"]["problems"]

    assert text.startswith("Plan a/b: ééé")
    assert text.endswith("é ...")
    assert len(text.encode()) < 10_000
