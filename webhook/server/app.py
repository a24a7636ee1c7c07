"""The webhook over HTTP: `POST /mutate` for pods, `POST /validate` for Plans.

Both are ASGI endpoints on the FastAPI application: resolving FastAPI's arguments takes longer
than placing a pod, and a body model would respond to a malformed review with a 422 without UID.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from time import perf_counter
from typing import NamedTuple, Protocol

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from webhook.admission import review
from webhook.admission.review import BadReview, ReviewResponse
from webhook.model import Decision, Installation, Mode, Outcome, Reason, Request, Reviewed
from webhook.server.body import Disconnected, read_body
from webhook.server.deadline import seconds_to_respond
from webhook.server.plan_reviews import PlanReviewHandler
from webhook.server.pod_reviews import PodReviewHandler
from webhook.server.responses import CLOSE, error_body, respond_to_http_error, send_json
from webhook.server.slots import Slots, overloaded
from webhook.server.turns import Turns

_RETRY_AFTER = (b"retry-after", b"1")
"""The API server tries again only with this header, in seconds."""

_CONSEQUENCE = {
    Reviewed.POD: "the pod is not placed",
    Reviewed.PLAN: "the plan is not validated",
}
"""The consequence of an internal error."""


class Limits(NamedTuple):
    """The limits of an endpoint."""

    slots: Slots
    turns: Turns
    """Shared by all endpoints."""


class DecisionSink(Protocol):
    """Reports decisions; in the server it is `webhook.telemetry.reporter.Reporter`."""

    def __call__(
        self, reviewed: Reviewed, request: Request | None, decision: Decision, seconds: float
    ) -> None: ...
    def report_error(self, uid: str, error: Exception) -> None: ...


ReviewHandler = Callable[[bytes, float], Awaitable[ReviewResponse]]
"""Responds to the body of a review, by a deadline on the clock of `perf_counter`.

Raises BadReview.
"""


def build(
    pods: PodReviewHandler, installation: Installation, sink: DecisionSink, max_concurrent: int
) -> FastAPI:
    """Return the application that is served over TLS; `pods` handles the reviews of pods."""
    turns = Turns()

    def endpoint(of: Reviewed, handler: ReviewHandler) -> ReviewEndpoint:
        limits = Limits(Slots(max_concurrent), turns)
        return ReviewEndpoint(of, handler, installation.mode, sink, limits)

    return _App(
        {
            "/mutate": endpoint(Reviewed.POD, pods),
            "/validate": endpoint(Reviewed.PLAN, PlanReviewHandler(installation)),
        }
    )


class _App(FastAPI):
    """FastAPI with endpoints that bypass its middleware.

    The seven layers around a route take a sixth of a review's time, and `ReviewEndpoint` handles
    its errors itself.
    """

    def __init__(self, endpoints: Mapping[str, ASGIApp]) -> None:
        super().__init__(
            openapi_url=None,
            redirect_slashes=False,
            exception_handlers={HTTPException: respond_to_http_error},
        )
        self._endpoints = endpoints
        for path, endpoint in endpoints.items():
            self.router.routes.append(Route(path, endpoint, methods=["POST"]))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = self._endpoints.get(scope["path"])
        if endpoint is None or scope["method"] != "POST":
            endpoint = super().__call__
        await endpoint(scope, receive, send)


class ReviewEndpoint:
    """An ASGI endpoint that responds to reviews with a handler.

    A body that cannot be decoded is reported with the mode of the installation.
    """

    def __init__(
        self,
        of: Reviewed,
        handler: ReviewHandler,
        mode: Mode,
        sink: DecisionSink,
        limits: Limits,
    ) -> None:
        self._of = of
        self._handler = handler
        self._mode = mode
        self._internal_error = f"internal error of the webhook, see its log; {_CONSEQUENCE[of]}"
        self._sink = sink
        self._slots, self._turns = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = perf_counter()
        try:
            deadline = started + seconds_to_respond(scope["query_string"])
            response = await self._review(scope, receive, deadline)
            await send_json(send, 200, response.body)
            self._sink(self._of, response.request, response.decision, perf_counter() - started)
        except BadReview as bad:
            await self._reject(send, bad, started)
        except Disconnected:
            pass
        except Exception as error:  # noqa: BLE001 - no stack trace reaches a client
            self._sink.report_error("", error)
            failed = BadReview(500, Reason.INTERNAL_ERROR, self._internal_error)
            await self._reject(send, failed, started)

    async def _review(self, scope: Scope, receive: Receive, deadline: float) -> ReviewResponse:
        """Read and review a body in a slot, in a turn of its client.

        Raises BadReview or Disconnected.
        """
        address = scope.get("client")
        client = address[0] if address else ""
        turn = await self._turns.wait(client)
        slot = self._slots.take(client)
        try:
            body = await read_body(scope, receive, partial(self._slots.hold, slot))
            await self._turns.wait(client, turn)
            return await self._respond(body, deadline)
        except asyncio.CancelledError:
            if slot.revoked and slot.task:
                slot.task.uncancel()
                raise overloaded() from None
            raise
        finally:
            self._slots.release(slot)

    async def _respond(self, body: bytes, deadline: float) -> ReviewResponse:
        """Return the handler's response; an internal error admits the object unchanged."""
        try:
            return await self._handler(body, deadline)
        except BadReview:
            raise
        except Exception as error:  # noqa: BLE001 - after any error the object is admitted
            request = review.read(body).request
            self._sink.report_error(request.uid, error)
            decision = self._failed(Reason.INTERNAL_ERROR, self._internal_error)
            return review.respond(request, decision)

    async def _reject(self, send: Send, bad: BadReview, started: float) -> None:
        """Respond to a request without a review that can be decided, and close the connection."""
        decision = self._failed(bad.reason, bad.message)
        if bad.uid:
            body = review.encode(bad.uid, decision)
        else:
            body = error_body(bad.status, bad.message, bad.reason)
        retry = (_RETRY_AFTER,) if bad.reason is Reason.OVERLOADED else ()
        await send_json(send, bad.status, body, CLOSE, *retry)
        self._sink(self._of, None, decision, perf_counter() - started)

    def _failed(self, reason: Reason, message: str) -> Decision:
        return Decision(Outcome.FAILED, reason, message, self._mode, warnings=[message])
