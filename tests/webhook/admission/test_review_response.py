"""What is answered is admission.k8s.io/v1 to the letter, within the limits of Kubernetes."""

import base64
import json
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from webhook.admission.review import encode
from webhook.kube.objects import Json
from webhook.model import (
    Decision,
    Mode,
    Outcome,
    PlanRef,
    Problem,
    Reason,
)

UID = "705ab4f5-6393-11e8-b7cc-42010a800002"
PLAN = PlanRef(uid="b277", namespace="konveyor-forklift", name="db")
ADD: Json = {"op": "add", "path": "/metadata/labels/app", "value": "virt-v2v"}


def answer(uid: str, decision: Decision) -> Json:
    whole = json.loads(encode(uid, decision))
    response: Json = whole.pop("response")
    assert whole == {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}
    assert response.pop("uid") == uid
    return response


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
