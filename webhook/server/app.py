"""The webhook over HTTP: `POST /mutate` for pods, `POST /validate` for plans.

The routes are plain ASGI on the FastAPI application: solving FastAPI's arguments costs more
than placing a pod, and a body model would answer a malformed review with a 422 that names
no UID.
"""

from collections.abc import Awaitable, Callable, Mapping
from time import perf_counter
from typing import Protocol

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from webhook.admission import review
from webhook.admission.cache import Answer
from webhook.admission.review import BadReview
from webhook.admission.validate import validate
from webhook.inventory import Plans
from webhook.model import Decision, Installation, Mode, Outcome, Reason, Request, Reviewed
from webhook.server import deadline
from webhook.server.body import Bodies, Disconnected, overloaded
from webhook.server.pod_reviews import Placing, answered
from webhook.server.responses import CLOSE, error, send_json

_RETRY_AFTER = (b"retry-after", b"1")
"""Only with this header, and only whole seconds, does the API server try again."""


_UNDONE = {Reviewed.POD: "the pod is not placed", Reviewed.PLAN: "the plan is not checked"}
"""What comes of a fault."""


class Report(Protocol):
    """Who is told of the reviews; `webhook.telemetry.reporter.Reporter` in the server."""

    def __call__(
        self, of: Reviewed, request: Request | None, decision: Decision, seconds: float
    ) -> None: ...
    def report_error(self, uid: str, error: Exception) -> None: ...


def build(plans: Plans, installation: Installation, report: Report, max_concurrent: int) -> FastAPI:
    """Make the application that is served over TLS."""
    placing = Placing(plans, installation)

    async def validating(body: bytes, _until: float) -> Answer:
        request = review.decode(body)
        return answered(request, validate(request, installation))

    def reviews(of: Reviewed, answers: Answering) -> Reviews:
        return Reviews(of, answers, installation.mode, report, max_concurrent)

    return _App(
        {
            "/mutate": reviews(Reviewed.POD, placing),
            "/validate": reviews(Reviewed.PLAN, validating),
        }
    )


class _App(FastAPI):
    """FastAPI, with a way past its middleware for what is called all the time.

    The seven layers around a route of its own cost a review a sixth of its time, and do
    nothing for it: `Reviews` handles its errors itself.
    """

    def __init__(self, posts: Mapping[str, ASGIApp]) -> None:
        super().__init__(
            openapi_url=None,
            redirect_slashes=False,
            exception_handlers={HTTPException: _http_error},
        )
        self._posts = posts
        for path, endpoint in posts.items():
            self.router.routes.append(Route(path, endpoint, methods=["POST"]))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = self._posts.get(scope["path"])
        if endpoint is None or scope["method"] != "POST":
            endpoint = super().__call__
        await endpoint(scope, receive, send)


Answering = Callable[[bytes, float], Awaitable[Answer]]
"""Answers a review; the time by which, on the clock of `perf_counter`, is the second.

Raises BadReview.
"""


class Reviews:
    """An ASGI endpoint that answers reviews as `answering` does.

    What cannot be decided has the mode of the installation.
    """

    def __init__(
        self, of: Reviewed, answering: Answering, mode: Mode, report: Report, max_concurrent: int
    ) -> None:
        self._of = of
        self._answering = answering
        self._mode = mode
        self._at_fault = f"the webhook is at fault, so {_UNDONE[of]}: see its log"
        self._report = report
        self._bodies = Bodies()
        self._free = max_concurrent

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = perf_counter()
        if self._free <= 0:
            await self._refuse(send, overloaded(), started)
            return
        self._free -= 1
        seconds = deadline.seconds(scope["query_string"])
        try:
            body = await self._bodies.read(scope, receive)
            answer = await self._answer(body, started + seconds)
            await send_json(send, 200, answer.body)
            self._report(self._of, answer.request, answer.decision, perf_counter() - started)
        except BadReview as bad:
            await self._refuse(send, bad, started)
        except Disconnected:
            pass
        except Exception as fault:  # noqa: BLE001 - nobody gets to see a trace
            self._report.report_error("", fault)
            ours = BadReview(500, Reason.INTERNAL_ERROR, self._at_fault)
            await self._refuse(send, ours, started)
        finally:
            self._free += 1

    async def _answer(self, body: bytes, until: float) -> Answer:
        try:
            return await self._answering(body, until)
        except BadReview:
            raise
        except Exception as fault:  # noqa: BLE001 - whatever it is, the object goes through
            request = review.decode(body)
            self._report.report_error(request.uid, fault)
            return answered(request, self._failed(Reason.INTERNAL_ERROR, self._at_fault))

    async def _refuse(self, send: Send, bad: BadReview, started: float) -> None:
        """Answer what is no review, or comes too late or too much, and end the connection."""
        decision = self._failed(bad.reason, bad.message)
        if bad.uid:
            answer = review.encode(bad.uid, decision)
        else:
            answer = error(bad.status, bad.message, bad.reason)
        retry = (_RETRY_AFTER,) if bad.reason is Reason.OVERLOADED else ()
        await send_json(send, bad.status, answer, CLOSE, *retry)
        self._report(self._of, None, decision, perf_counter() - started)

    def _failed(self, reason: Reason, message: str) -> Decision:
        return Decision(Outcome.FAILED, reason, message, self._mode, warnings=[message])


async def _http_error(_request: HttpRequest, fault: Exception) -> Response:
    """Answer a request for what is not here, in the words of every other error."""
    assert isinstance(fault, HTTPException)  # noqa: S101 - it is registered for nothing else
    return Response(
        error(fault.status_code, fault.detail.lower()),
        fault.status_code,
        fault.headers,
        media_type="application/json",
    )
