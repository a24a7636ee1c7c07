"""`POST /mutate` over ASGI: every answer that a client can get, whole."""

import asyncio
import base64
import json
from typing import Any

import pytest

from tests.support.asgi import Exchange, Response, send, split
from tests.support.builders import encode_review, minimal_pod, parsed_plan
from tests.support.fake_plans import FakePlans
from tests.support.recording_reporter import RecordingReporter
from webhook.admission.review import MAX_BODY_BYTES
from webhook.model import Installation, Mode, Reason
from webhook.server import app

PLAN = parsed_plan(labels={"team": "a"})
PLACEMENT = '{"plan":"konveyor-forklift/db","generation":3,"mode":"enforce"}'
PATCH = [
    {"op": "add", "path": "/metadata/labels/team", "value": "a"},
    {
        "op": "add",
        "path": "/metadata/annotations",
        "value": {"convertor.forklift.konveyor.io/placement": PLACEMENT},
    },
]


class Webhook:
    """The application over plans that all say PLAN, unless told otherwise."""

    def __init__(
        self, plans: FakePlans | None = None, concurrent: int = 2, **installation: Any
    ) -> None:
        self.plans = plans or FakePlans(PLAN)
        self.reporter = RecordingReporter()
        settings = Installation(identity_labels=False, **installation)
        self.app = app.build(self.plans, settings, self.reporter, max_concurrent=concurrent)

    def __call__(self, *chunks: bytes, **request: Any) -> Response:
        return asyncio.run(send(self.app, Exchange(chunks, **request)))


def status(code: int, reason: str, message: str) -> dict[str, Any]:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code,
    }


def unplaced(uid: str, reason: Reason, warnings: list[str], **audit: str) -> dict[str, Any]:
    """Make the answer that lets a pod through unchanged."""
    return {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "response": {
            "uid": uid,
            "allowed": True,
            "warnings": warnings,
            "auditAnnotations": {"mode": "enforce", "outcome": "failed", "reason": reason, **audit},
        },
    }


def test_a_convertor_pod_is_answered_with_its_patch() -> None:
    webhook = Webhook()
    answer = webhook(encode_review(minimal_pod()), query="timeout=3s")
    assert answer == Response(
        200,
        {"content-type": "application/json", "content-length": str(len(answer.body))},
        answer.body,
    )
    said = answer.json()
    patch = said["response"].pop("patch")
    assert json.loads(base64.b64decode(patch)) == PATCH
    assert said == {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "response": {
            "uid": "u-1",
            "allowed": True,
            "patchType": "JSONPatch",
            "auditAnnotations": {
                "mode": "enforce",
                "outcome": "patched",
                "reason": "Placed",
                "plan": "konveyor-forklift/db",
                "generation": "3",
            },
        },
    }
    assert webhook.plans.fetches == []
    assert webhook.reporter.reasons == ["Placed"]


def test_what_is_no_convertor_pod_passes_without_a_look_at_the_plans() -> None:
    webhook = Webhook()
    webhook.plans.error = AssertionError("looked up")
    answer = webhook(encode_review({"metadata": {"labels": {"app": "web"}}}))
    assert answer.json()["response"] == {"uid": "u-1", "allowed": True}
    assert webhook.reporter.reasons == ["NotAConvertorPod"]


@pytest.mark.parametrize("size", [1, 100, 65536])
def test_a_body_in_pieces_is_one_body(size: int) -> None:
    answer = Webhook()(*split(encode_review(minimal_pod()), size))
    assert answer.json()["response"]["patchType"] == "JSONPatch"


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_the_body_counts_and_not_what_it_is_called(content_type: str) -> None:
    answer = Webhook()(encode_review(minimal_pod()), headers={"content-type": content_type})
    assert answer.status == 200


@pytest.mark.parametrize("body", [b"", b"\xff", b"{", b"[]", b"null", b"{}", b"[1", b"[" * 100_000])
def test_what_is_no_review_is_a_400_that_says_why(body: bytes) -> None:
    webhook = Webhook()
    answer = webhook(body)
    assert (answer.status, answer.headers["connection"]) == (400, "close")
    said = answer.json()
    assert said == status(400, "MalformedReview", said["message"])
    assert said["message"]
    assert webhook.reporter.reasons == ["MalformedReview"]
    assert webhook.reporter.decisions[0][0] is None


def test_a_review_that_is_malformed_but_for_its_uid_is_answered_as_a_review() -> None:
    body = json.dumps({"apiVersion": "v2", "kind": "AdmissionReview", "request": {"uid": "u-7"}})
    answer = Webhook()(body.encode())
    assert (answer.status, answer.headers["connection"]) == (400, "close")
    said = answer.json()
    assert said == unplaced("u-7", Reason.MALFORMED_REVIEW, said["response"]["warnings"])
    assert "v2" in said["response"]["warnings"][0]


TOO_LARGE = status(
    413, "ReviewTooLarge", "the body of the review is too large, expected at most 7340032 bytes"
)


@pytest.mark.parametrize(
    ("chunks", "headers", "read"),
    [
        ([b"x" * (MAX_BODY_BYTES + 1)], {}, 1),
        ([b"x" * (MAX_BODY_BYTES // 2)] * 4, {}, 3),
        ([b"x", b"x"], {"Content-Length": str(MAX_BODY_BYTES + 1)}, 1),
    ],
    ids=["at once", "in pieces, without a length", "announced"],
)
def test_a_body_that_is_too_large_is_a_413_and_no_more_of_it_is_read(
    chunks: list[bytes], headers: dict[str, str], read: int
) -> None:
    webhook = Webhook()
    exchange = Exchange(chunks, headers=headers)
    answer = asyncio.run(send(webhook.app, exchange))
    assert (answer.status, answer.headers["connection"]) == (413, "close")
    assert answer.json() == TOO_LARGE
    assert exchange.read == read
    assert webhook.reporter.reasons == ["ReviewTooLarge"]


def test_a_body_of_the_largest_size_is_read() -> None:
    body = encode_review(minimal_pod())
    answer = Webhook()(body + b" " * (MAX_BODY_BYTES - len(body)))
    assert answer.status == 200


def test_bodies_on_their_way_together_are_no_more_than_there_is_room_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    body = encode_review(minimal_pod())
    half = len(body) // 2
    monkeypatch.setattr("webhook.server.body.MAX_PENDING_BYTES", len(body) + half)
    webhook = Webhook(concurrent=5)

    async def scene() -> list[Response]:
        slow = [Exchange([body[:half], body[half:]], pause=0.01) for _ in range(3)]
        first = list(await asyncio.gather(*(send(webhook.app, one) for one in slow)))
        return [*first, await send(webhook.app, Exchange(split(body, 10)))]

    answers = asyncio.run(scene())
    assert sorted(answer.status for answer in answers[:3]) == [200, 200, 429]
    assert answers[3].status == 200


def test_a_client_that_goes_away_is_not_answered() -> None:
    webhook = Webhook()
    exchange = Exchange([{"type": "http.disconnect"}])
    asyncio.run(webhook.app(exchange.scope, exchange.receive, exchange.send))
    assert exchange.sent == []
    assert webhook.reporter.decisions == []


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD"])
def test_another_method_is_a_405(method: str) -> None:
    answer = Webhook()(b"", method=method)
    assert (answer.status, answer.headers["allow"]) == (405, "POST")
    assert answer.json() == status(405, "MethodNotAllowed", "method not allowed")


@pytest.mark.parametrize("path", ["/", "/mutate/", "/docs", "/openapi.json"])
def test_another_path_is_a_404(path: str) -> None:
    answer = Webhook()(b"", path=path)
    assert answer.status == 404
    assert answer.json() == status(404, "NotFound", "not found")


@pytest.mark.parametrize("mode", Mode)
def test_a_bug_lets_the_pod_through_and_is_told_with_its_trace(mode: Mode) -> None:
    webhook = Webhook(mode=mode)
    webhook.plans.error = ZeroDivisionError("boom")
    answer = webhook(encode_review(minimal_pod()))
    assert answer.status == 200
    assert answer.json() == unplaced(
        "u-1",
        Reason.INTERNAL_ERROR,
        ["internal error of the webhook, see its log; the pod is not placed"],
        mode=mode,
    )
    assert b"boom" not in answer.body
    assert webhook.reporter.errors == [("u-1", webhook.plans.error)]
    assert webhook.reporter.reasons == ["InternalError"]


def test_a_bug_before_the_uid_is_known_is_a_500_without_a_trace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def decode(_body: bytes) -> None:
        raise ZeroDivisionError("boom")

    monkeypatch.setattr("webhook.admission.review.decode", decode)
    webhook = Webhook()
    answer = webhook(encode_review(minimal_pod()))
    assert (answer.status, answer.headers["connection"]) == (500, "close")
    assert answer.json() == status(
        500, "InternalError", "internal error of the webhook, see its log; the pod is not placed"
    )
    assert [type(fault) for _uid, fault in webhook.reporter.errors] == [ZeroDivisionError]


def test_a_plan_that_is_not_there_yet_is_fetched_within_the_time() -> None:
    webhook = Webhook(FakePlans(Reason.PLAN_NOT_FOUND, fetched=PLAN))
    answer = webhook(encode_review(minimal_pod()), query="timeout=3s")
    assert answer.json()["response"]["patchType"] == "JSONPatch"
    (seconds,) = webhook.plans.fetches
    assert 2.5 < seconds <= 2.7


@pytest.mark.parametrize("reason", [Reason.PLAN_NOT_FOUND, Reason.PLANS_NOT_SYNCED])
def test_a_plan_that_stays_away_leaves_the_pod_unchanged(reason: Reason) -> None:
    webhook = Webhook(FakePlans(reason))
    answer = webhook(encode_review(minimal_pod()))
    response = answer.json()["response"]
    assert (response["allowed"], response["auditAnnotations"]["reason"]) == (True, reason)
    assert len(webhook.plans.fetches) == 1


def test_what_no_time_can_cure_is_not_waited_for() -> None:
    webhook = Webhook(FakePlans(Reason.PLAN_AMBIGUOUS))
    webhook(encode_review(minimal_pod()))
    assert webhook.plans.fetches == []
    assert webhook.reporter.reasons == ["PlanAmbiguous"]


def test_plans_that_hang_do_not_hold_up_the_answer() -> None:
    webhook = Webhook(FakePlans(Reason.PLAN_NOT_FOUND))
    webhook.plans.hangs = True
    answer = webhook(encode_review(minimal_pod()), query="timeout=120ms")
    assert answer.json()["response"]["allowed"] is True
    assert webhook.reporter.reasons == ["DeadlineExceeded"]


def test_audit_mode_answers_without_a_patch() -> None:
    webhook = Webhook(mode=Mode.AUDIT)
    response = webhook(encode_review(minimal_pod())).json()["response"]
    assert "patch" not in response
    assert response["auditAnnotations"]["outcome"] == "would-patch"


def test_too_many_reviews_at_once_are_sent_elsewhere_and_the_others_answered() -> None:
    webhook = Webhook(FakePlans(Reason.PLAN_NOT_FOUND, fetched=PLAN))
    webhook.plans.hangs = True

    async def three() -> list[Response]:
        exchanges = [
            Exchange([encode_review(minimal_pod())], query="timeout=150ms") for _ in range(3)
        ]
        return list(await asyncio.gather(*(send(webhook.app, one) for one in exchanges)))

    first, second, third = asyncio.run(three())
    assert (first.status, second.status) == (200, 200)
    assert third == Response(
        429,
        {
            "content-type": "application/json",
            "content-length": str(len(third.body)),
            "connection": "close",
            "retry-after": "1",
        },
        third.body,
    )
    assert third.json() == status(
        429, "Overloaded", "too many reviews at once, try again in a second"
    )
    assert webhook.reporter.reasons == ["Overloaded", "DeadlineExceeded", "DeadlineExceeded"]

    webhook.plans.hangs = False
    assert webhook(encode_review(minimal_pod())).status == 200
