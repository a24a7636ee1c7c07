"""Every response to `POST /mutate`, over ASGI."""

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
from webhook.server.pod_reviews import PodReviewHandler

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
    """The application with PLAN as the result of every look-up, or with other plans."""

    def __init__(
        self, plans: FakePlans | None = None, concurrent: int = 2, **installation: Any
    ) -> None:
        self.plans = plans or FakePlans(PLAN)
        self.reporter = RecordingReporter()
        settings = Installation(identity_labels=False, **installation)
        self.app = app.build(
            PodReviewHandler(self.plans, settings),
            settings,
            self.reporter,
            max_concurrent=concurrent,
        )

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


def failed_review(uid: str, reason: Reason, warnings: list[str], **audit: str) -> dict[str, Any]:
    """Return the review that admits an object unchanged."""
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


def test_the_response_to_a_convertor_pod_has_the_patch() -> None:
    webhook = Webhook()
    response = webhook(encode_review(minimal_pod()), query="timeout=3s")
    assert response == Response(
        200,
        {"content-type": "application/json", "content-length": str(len(response.body))},
        response.body,
    )
    review = response.json()
    patch = review["response"].pop("patch")
    assert json.loads(base64.b64decode(patch)) == PATCH
    assert review == {
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
                "role": "convertor",
                "plan": "konveyor-forklift/db",
                "generation": "3",
            },
        },
    }
    assert webhook.plans.fetches == []
    assert webhook.reporter.reasons == ["Placed"]


def test_another_pod_is_admitted_without_a_look_up_of_a_plan() -> None:
    webhook = Webhook()
    webhook.plans.error = AssertionError("looked up")
    response = webhook(encode_review({"metadata": {"labels": {"app": "web"}}}))
    assert response.json()["response"] == {"uid": "u-1", "allowed": True}
    assert webhook.reporter.reasons == ["NotAConvertorPod"]


def test_a_convertor_pod_without_a_plan_reference_is_admitted_with_a_warning() -> None:
    webhook = Webhook()
    webhook.plans.error = AssertionError("looked up")
    pod = {"metadata": {"labels": {"forklift.app": "virt-v2v"}}, "spec": {}}
    body = webhook(encode_review(pod)).json()["response"]
    assert (body["allowed"], len(body["warnings"])) == (True, 2)
    assert webhook.reporter.reasons == ["NoPlanReference"]


@pytest.mark.parametrize("size", [1, 100, 65536])
def test_a_body_may_arrive_in_chunks(size: int) -> None:
    response = Webhook()(*split(encode_review(minimal_pod()), size))
    assert response.json()["response"]["patchType"] == "JSONPatch"


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_the_content_type_is_ignored(content_type: str) -> None:
    response = Webhook()(encode_review(minimal_pod()), headers={"content-type": content_type})
    assert response.status == 200


@pytest.mark.parametrize("body", [b"", b"\xff", b"{", b"[]", b"null", b"{}", b"[1", b"[" * 100_000])
def test_a_body_that_is_not_a_review_is_a_400_with_a_message(body: bytes) -> None:
    webhook = Webhook()
    response = webhook(body)
    assert (response.status, response.headers["connection"]) == (400, "close")
    error = response.json()
    assert error == status(400, "MalformedReview", error["message"])
    assert error["message"]
    assert webhook.reporter.reasons == ["MalformedReview"]
    assert webhook.reporter.decisions[0][0] is None


def test_the_response_to_a_malformed_review_with_a_uid_is_a_review() -> None:
    body = json.dumps({"apiVersion": "v2", "kind": "AdmissionReview", "request": {"uid": "u-7"}})
    response = Webhook()(body.encode())
    assert (response.status, response.headers["connection"]) == (400, "close")
    review = response.json()
    warnings = review["response"]["warnings"]
    assert review == failed_review("u-7", Reason.MALFORMED_REVIEW, warnings)
    assert "v2" in warnings[0]


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
    ids=["one chunk", "several chunks", "Content-Length"],
)
def test_a_body_that_is_too_large_is_a_413_and_is_not_read_to_the_end(
    chunks: list[bytes], headers: dict[str, str], read: int
) -> None:
    webhook = Webhook()
    exchange = Exchange(chunks, headers=headers)
    response = asyncio.run(send(webhook.app, exchange))
    assert (response.status, response.headers["connection"]) == (413, "close")
    assert response.json() == TOO_LARGE
    assert exchange.read == read
    assert webhook.reporter.reasons == ["ReviewTooLarge"]


def test_a_content_length_with_many_zeros_is_a_number() -> None:
    body = encode_review(minimal_pod())
    length = "0" * 5000 + str(len(body))
    response = Webhook()(body[:9], body[9:], headers={"Content-Length": length})
    assert response.json()["response"]["allowed"] is True


def test_a_body_of_the_maximum_size_is_accepted() -> None:
    body = encode_review(minimal_pod())
    response = Webhook()(body + b" " * (MAX_BODY_BYTES - len(body)))
    assert response.status == 200


def test_a_body_over_the_limit_of_pending_bytes_is_a_429(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    body = encode_review(minimal_pod())
    half = len(body) // 2
    monkeypatch.setattr("webhook.server.slots.MAX_PENDING_BYTES", len(body))
    webhook = Webhook(concurrent=5)

    async def send_all() -> list[Response]:
        slow = [Exchange([body[:half], body[half:]], pause=0.01) for _ in range(3)]
        first = list(await asyncio.gather(*(send(webhook.app, one) for one in slow)))
        return [*first, await send(webhook.app, Exchange(split(body, 10)))]

    responses = asyncio.run(send_all())
    assert sorted(response.status for response in responses[:3]) == [200, 200, 429]
    assert responses[3].status == 200


ONE, TWO = "10.0.0.1", "10.0.0.2"


async def send_with_others(
    webhook: Webhook, others: list[Exchange], own: list[Exchange]
) -> tuple[list[Response], list[Response]]:
    """Send the first ones, and the second ones while they wait."""
    tasks = [asyncio.create_task(send(webhook.app, each)) for each in others]
    await asyncio.sleep(0.01)
    responses = list(await asyncio.gather(*(send(webhook.app, each) for each in own)))
    return list(await asyncio.gather(*tasks)), responses


def test_half_requests_of_another_client_do_not_prevent_a_review() -> None:
    body = encode_review(minimal_pod())
    webhook = Webhook(concurrent=3)
    half = [Exchange([body[:50], body[50:]], client=TWO, pause=0.05 * n) for n in (1, 2, 3)]
    whole = [Exchange([body], client=ONE)]
    others, own = asyncio.run(send_with_others(webhook, half, whole))
    assert [response.status for response in own] == [200]
    assert [response.status for response in others] == [429, 200, 200]
    assert others[0].headers["retry-after"] == "1"
    assert webhook.reporter.reasons == ["Overloaded", "Placed", "Placed", "Placed"]


def test_slots_are_shared_fairly_by_reviews_that_wait_for_their_plan() -> None:
    webhook = Webhook(FakePlans(Reason.PLAN_NOT_FOUND, fetched=PLAN), concurrent=4)
    webhook.plans.hangs = True
    body = encode_review(minimal_pod())

    def exchanges(client: str, number: int) -> list[Exchange]:
        return [Exchange([body], client=client, query="timeout=200ms") for _ in range(number)]

    others, own = asyncio.run(send_with_others(webhook, exchanges(TWO, 4), exchanges(ONE, 3)))
    assert [response.status for response in others] == [429, 429, 200, 200]
    assert [response.status for response in own] == [200, 200, 429]


def test_the_largest_body_of_the_client_with_most_pending_bytes_is_rejected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    body = encode_review(minimal_pod())
    monkeypatch.setattr("webhook.server.slots.MAX_PENDING_BYTES", len(body))
    webhook = Webhook(concurrent=5)
    sizes = (len(body) // 4, len(body) // 2)
    pending = [Exchange([body[:n], body[n:]], client=TWO, pause=0.1) for n in sizes]
    own = [Exchange([body[: sizes[1]], body[sizes[1] :]], client=ONE, pause=0.11)]
    others, reviewed = asyncio.run(send_with_others(webhook, pending, own))
    assert [response.status for response in others] == [200, 429]
    assert [response.status for response in reviewed] == [200]


def test_a_review_that_is_cancelled_when_the_server_stops_is_cancelled() -> None:
    webhook = Webhook()
    exchange = Exchange([b"x", b"y"], pause=0.5)

    async def cancel() -> None:
        task = asyncio.create_task(send(webhook.app, exchange))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
    assert webhook(encode_review(minimal_pod())).status == 200


def test_a_client_that_disconnects_gets_no_response() -> None:
    webhook = Webhook()
    exchange = Exchange([{"type": "http.disconnect"}])
    asyncio.run(webhook.app(exchange.scope, exchange.receive, exchange.send))
    assert exchange.sent == []
    assert webhook.reporter.decisions == []


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD"])
def test_another_method_is_a_405(method: str) -> None:
    response = Webhook()(b"", method=method)
    assert (response.status, response.headers["allow"]) == (405, "POST")
    assert response.json() == status(405, "MethodNotAllowed", "method not allowed")


@pytest.mark.parametrize("path", ["/", "/mutate/", "/docs", "/openapi.json"])
def test_another_path_is_a_404(path: str) -> None:
    response = Webhook()(b"", path=path)
    assert response.status == 404
    assert response.json() == status(404, "NotFound", "not found")


@pytest.mark.parametrize("mode", Mode)
def test_after_an_internal_error_the_pod_is_admitted_and_the_error_is_reported(mode: Mode) -> None:
    webhook = Webhook(mode=mode)
    webhook.plans.error = ZeroDivisionError("boom")
    response = webhook(encode_review(minimal_pod()))
    assert response.status == 200
    assert response.json() == failed_review(
        "u-1",
        Reason.INTERNAL_ERROR,
        ["internal error of the webhook, see its log; the pod is not placed"],
        mode=mode,
    )
    assert b"boom" not in response.body
    assert webhook.reporter.errors == [("u-1", webhook.plans.error)]
    assert webhook.reporter.reasons == ["InternalError"]


def test_an_internal_error_before_the_uid_is_decoded_is_a_500_without_a_stack_trace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def read(_body: bytes) -> None:
        raise ZeroDivisionError("boom")

    monkeypatch.setattr("webhook.admission.review.read", read)
    webhook = Webhook()
    response = webhook(encode_review(minimal_pod()))
    assert (response.status, response.headers["connection"]) == (500, "close")
    assert response.json() == status(
        500, "InternalError", "internal error of the webhook, see its log; the pod is not placed"
    )
    assert [type(error) for _uid, error in webhook.reporter.errors] == [ZeroDivisionError]


@pytest.mark.parametrize("label", ["plan", "plan-name", "plan-namespace", "forklift.app/plan", "x"])
def test_a_label_of_megabytes_is_in_no_response_and_no_log_line(label: str) -> None:
    webhook = Webhook()
    response = webhook(encode_review(minimal_pod({label: "x" * 2_900_000})))
    assert (response.status, webhook.reporter.reasons) == (200, ["MalformedPod"])
    assert response.json()["response"]["allowed"]
    assert len(response.body) < 1000
    assert len(repr(webhook.reporter.decisions)) < 2000


def test_a_pod_is_placed_whatever_the_size_of_the_fields_that_are_not_read() -> None:
    large = b"[" + b"{}," * (MAX_BODY_BYTES // 3 - 1000) + b"{}]"
    body = encode_review(minimal_pod(containers="LARGE")).replace(b'"LARGE"', large)
    response = Webhook()(body)
    assert response.json()["response"]["patchType"] == "JSONPatch"


def test_a_plan_that_is_not_delivered_yet_is_fetched_within_the_timeout() -> None:
    webhook = Webhook(FakePlans(Reason.PLAN_NOT_FOUND, fetched=PLAN))
    response = webhook(encode_review(minimal_pod()), query="timeout=3s")
    assert response.json()["response"]["patchType"] == "JSONPatch"
    (seconds,) = webhook.plans.fetches
    assert 2.5 < seconds <= 2.7


@pytest.mark.parametrize("reason", [Reason.PLAN_NOT_FOUND, Reason.PLANS_NOT_SYNCED])
def test_a_pod_whose_plan_cannot_be_fetched_is_admitted(reason: Reason) -> None:
    webhook = Webhook(FakePlans(reason))
    response = webhook(encode_review(minimal_pod()))
    body = response.json()["response"]
    assert (body["allowed"], body["auditAnnotations"]["reason"]) == (True, reason)
    assert len(webhook.plans.fetches) == 1


def test_an_ambiguous_plan_is_not_fetched() -> None:
    webhook = Webhook(FakePlans(Reason.PLAN_AMBIGUOUS))
    webhook(encode_review(minimal_pod()))
    assert webhook.plans.fetches == []
    assert webhook.reporter.reasons == ["PlanAmbiguous"]


def test_a_fetch_that_hangs_ends_at_the_deadline() -> None:
    webhook = Webhook(FakePlans(Reason.PLAN_NOT_FOUND))
    webhook.plans.hangs = True
    response = webhook(encode_review(minimal_pod()), query="timeout=120ms")
    assert response.json()["response"]["allowed"] is True
    assert webhook.reporter.reasons == ["DeadlineExceeded"]


def test_in_mode_audit_the_response_has_no_patch() -> None:
    webhook = Webhook(mode=Mode.AUDIT)
    response = webhook(encode_review(minimal_pod())).json()["response"]
    assert "patch" not in response
    assert response["auditAnnotations"]["outcome"] == "would-patch"


def test_a_review_over_the_limit_of_concurrent_ones_is_a_429_with_retry_after() -> None:
    webhook = Webhook(FakePlans(Reason.PLAN_NOT_FOUND, fetched=PLAN))
    webhook.plans.hangs = True

    async def send_three() -> list[Response]:
        exchanges = [
            Exchange([encode_review(minimal_pod())], query="timeout=150ms") for _ in range(3)
        ]
        return list(await asyncio.gather(*(send(webhook.app, one) for one in exchanges)))

    first, second, third = asyncio.run(send_three())
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
