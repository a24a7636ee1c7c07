"""HTTP responses: sending them, and the body of an error."""

from http import HTTPStatus
from typing import Literal

from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Send

_JSON = (b"content-type", b"application/json")
CLOSE = (b"connection", b"close")
"""Ends the connection, so that the client opens another one, which may reach another replica."""


class Status(BaseModel):
    """A meta/v1 Status, the error body of the Kubernetes API."""

    kind: Literal["Status"] = "Status"
    apiVersion: Literal["v1"] = "v1"  # noqa: N815 - the field's name in the API
    metadata: dict[str, str] = {}
    status: Literal["Failure"] = "Failure"
    message: str
    reason: str
    code: int


async def send_json(send: Send, status: int, body: bytes, *headers: tuple[bytes, bytes]) -> None:
    """Send a response with a JSON body."""
    length = (b"content-length", b"%d" % len(body))
    await send(
        {"type": "http.response.start", "status": status, "headers": [_JSON, length, *headers]}
    )
    await send({"type": "http.response.body", "body": body})


def error_body(code: int, message: str, reason: str = "") -> bytes:
    """Encode an error. `reason` is a CamelCase word; by default HTTP's own, `MethodNotAllowed`."""
    reason = reason or HTTPStatus(code).phrase.title().replace(" ", "")
    return Status(message=message, reason=reason, code=code).model_dump_json().encode()


async def respond_to_http_error(_request: Request, error: Exception) -> Response:
    """Respond to a request for an unknown path or method, and close the connection."""
    assert isinstance(error, HTTPException)  # noqa: S101 - it is registered for nothing else
    return Response(
        error_body(error.status_code, error.detail.lower()),
        error.status_code,
        {**(error.headers or {}), "connection": "close"},
        media_type="application/json",
    )
