"""Answers over HTTP: how they are sent, and what an error looks like."""

from http import HTTPStatus

import msgspec
from starlette.types import Send

Headers = list[tuple[bytes, bytes]]

_JSON = (b"content-type", b"application/json")
CLOSE = (b"connection", b"close")
"""Ends the connection: what else is on it is not worth reading, or is better sent elsewhere."""


async def send_json(send: Send, status: int, body: bytes, *headers: tuple[bytes, bytes]) -> None:
    """Send a whole answer."""
    length = (b"content-length", b"%d" % len(body))
    await send(
        {"type": "http.response.start", "status": status, "headers": [_JSON, length, *headers]}
    )
    await send({"type": "http.response.body", "body": body})


def error(status: int, message: str, reason: str = "") -> bytes:
    """Make the body of an error: a Kubernetes Status, as its own API answers.

    `reason` is a CamelCase word; by default HTTP's own, as in `MethodNotAllowed`.
    """
    return msgspec.json.encode(
        {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "reason": reason or HTTPStatus(status).phrase.title().replace(" ", ""),
            "code": status,
        }
    )
