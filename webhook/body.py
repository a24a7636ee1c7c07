"""Reading the body of a request: no more of it, and no longer, than is good for the server."""

import asyncio

from starlette.types import Message, Receive, Scope

from webhook.model import Reason
from webhook.review import MAX_BODY_BYTES, BadReview


class Disconnected(Exception):  # noqa: N818 - nobody is to blame
    """The client went away before it had sent everything."""


async def read(scope: Scope, receive: Receive, seconds: float) -> bytes:
    """Return the whole body.

    Raises BadReview (413 when it is longer than MAX_BODY_BYTES, 408 when it does not arrive within
    `seconds`) and Disconnected. A length that is announced is believed before it is read.
    """
    message = await receive()
    if not message.get("more_body"):
        body = _chunk(message)
        _check(body)
        return body
    if _announced(scope) > MAX_BODY_BYTES:
        raise _too_large()
    parts = bytearray(_chunk(message))
    try:
        async with asyncio.timeout(seconds):
            while message.get("more_body"):
                message = await receive()
                parts += _chunk(message)
                _check(parts)
    except TimeoutError:
        text = f"the body of the review did not arrive within {seconds:g} seconds"
        raise BadReview(408, Reason.DEADLINE_EXCEEDED, text) from None
    return bytes(parts)


def _chunk(message: Message) -> bytes:
    if message["type"] == "http.disconnect":
        raise Disconnected
    chunk: bytes = message.get("body", b"")
    return chunk


def _announced(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0


def _check(body: bytes | bytearray) -> None:
    if len(body) > MAX_BODY_BYTES:
        raise _too_large()


def _too_large() -> BadReview:
    text = f"the body of the review is too large, expected at most {MAX_BODY_BYTES} bytes"
    return BadReview(413, Reason.REVIEW_TOO_LARGE, text)
