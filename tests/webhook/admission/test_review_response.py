"""Responses of admission.k8s.io/v1, within the limits of Kubernetes."""

import base64
import json

from hypothesis import given
from hypothesis import strategies as st

from webhook.admission.review import MAX_MESSAGE_BYTES, encode
from webhook.kube.objects import Json
from webhook.model import Decision, Mode, Outcome, PlanRef, Problem, Reason

UID = "705ab4f5-6393-11e8-b7cc-42010a800002"
PLAN = PlanRef(uid="b277", namespace="konveyor-forklift", name="db")
ADD: Json = {"op": "add", "path": "/metadata/labels/app", "value": "virt-v2v"}


def encode_response(uid: str, decision: Decision) -> Json:
    review = json.loads(encode(uid, decision))
    response: Json = review.pop("response")
    assert review == {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}
    assert response.pop("uid") == uid
    return response


def test_the_response_to_a_skipped_pod_has_only_uid_and_allowed() -> None:
    skipped = Decision(Outcome.SKIPPED, Reason.NOT_A_CONVERTOR_POD, "no label")

    assert encode(UID, skipped) == (
        b'{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview",'
        b'"response":{"uid":"705ab4f5-6393-11e8-b7cc-42010a800002","allowed":true}}'
    )


def test_the_response_to_a_placed_pod_has_the_patch() -> None:
    placed = Decision(
        Outcome.PATCHED, Reason.PLACED, "placed", plan=PLAN, generation=3, patch=[ADD]
    )

    response = encode_response(UID, placed)

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


def test_the_response_to_an_unchanged_pod_has_no_patch() -> None:
    unchanged = Decision(Outcome.UNCHANGED, Reason.ALREADY_PLACED, plan=PLAN)

    assert encode_response(UID, unchanged) == {
        "allowed": True,
        "auditAnnotations": {
            "mode": "enforce",
            "outcome": "unchanged",
            "reason": "AlreadyPlaced",
            "plan": "konveyor-forklift/db",
            "generation": "0",
        },
    }


def test_in_mode_audit_the_patch_is_an_audit_annotation_only() -> None:
    audited = Decision(
        Outcome.WOULD_PATCH, Reason.WOULD_PLACE, mode=Mode.AUDIT, plan=PLAN, patch=[ADD]
    )

    assert encode_response(UID, audited) == {
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


def test_the_response_to_a_denied_pod_has_the_message_and_the_problems() -> None:
    problem = Problem("Plan a/b annotation x/affinity", "1:1: unknown verb 'REQIRE'", "REQIRE\n^^^")
    denied = Decision(
        Outcome.DENIED, Reason.SETTINGS_INVALID, "first\nsecond", plan=PLAN, problems=[problem]
    )

    assert encode_response(UID, denied) == {
        "allowed": False,
        "status": {"code": 403, "reason": "SettingsInvalid", "message": "first\nsecond"},
        "auditAnnotations": {
            "mode": "enforce",
            "outcome": "denied",
            "reason": "SettingsInvalid",
            "plan": "konveyor-forklift/db",
            "generation": "0",
            "problems": ("Plan a/b annotation x/affinity: 1:1: unknown verb 'REQIRE'\nREQIRE\n^^^"),
        },
    }


def encode_warnings(*warnings: str) -> list[str]:
    decision = Decision(Outcome.SKIPPED, Reason.PLACED, warnings=list(warnings))
    found: list[str] = encode_response(UID, decision)["warnings"]
    return found


def test_a_warning_is_printable_and_has_no_prefix() -> None:
    assert encode_warnings("Warning: plan 'a'\n\tis\x1b bad ") == ["plan 'a' is\\u001b bad"]


def test_a_warning_of_megabytes_is_truncated_before_it_is_wrapped() -> None:
    lines = encode_warnings("x " * 2**21, "another")

    assert sum(map(len, lines)) <= 4096
    assert lines[-1] == "and more: see the webhook's log and the Plan's Events"


def test_the_message_of_a_denial_is_printable_and_of_limited_size() -> None:
    message = "a\u202e\x1b[2J\nb" + "x" * 2**20
    denied = Decision(Outcome.DENIED, Reason.SETTINGS_INVALID, message)

    text = encode_response(UID, denied)["status"]["message"]
    assert text.startswith("a\\u202e\\u001b[2J\nbxxx")
    assert len(text) == MAX_MESSAGE_BYTES


def test_a_long_warning_is_wrapped_into_several() -> None:
    words = " ".join(["placement"] * 30)

    lines = encode_warnings(words, "short")

    assert [len(line) for line in lines] == [119, 119, 59, 5]
    assert " ".join(lines[:-1]) == words


def test_warnings_over_the_limit_are_dropped_with_a_note() -> None:
    lines = encode_warnings(*(f"{number} {'é' * 100}" for number in range(50)))

    assert lines[-1] == "and more: see the webhook's log and the Plan's Events"
    assert lines[-2].startswith("18 ")


@given(st.lists(st.text(min_size=1, max_size=300), min_size=1, max_size=30))
def test_any_warnings_are_within_the_limits_of_kubernetes(warnings: list[str]) -> None:
    lines = encode_warnings(*warnings)

    assert sum(len(line.encode()) for line in lines) <= 4096
    for line in lines:
        assert 0 < len(line) <= 120
        assert line.isprintable()


def test_an_audit_annotation_is_within_the_limit_of_kubernetes() -> None:
    problems = [Problem("Plan a/b", "é" * 5000)]
    decision = Decision(Outcome.UNCHANGED, Reason.SETTINGS_INVALID, problems=problems)

    text = encode_response(UID, decision)["auditAnnotations"]["problems"]

    assert text.startswith("Plan a/b: ééé")
    assert text.endswith("é ...")
    assert len(text.encode()) < 10_000
