"""Reading of request bodies, within limits of size.

`webhook.server.http_protocol` limits the time.
"""

from starlette.types import Message, Receive, Scope

from webhook.admission.review import MAX_BODY_BYTES, BadReview
from webhook.model import Reason

MAX_PENDING_BYTES = 4 * MAX_BODY_BYTES
"""The sum over bodies that have arrived in part. A review of a few kilobytes arrives at once."""


class Disconnected(Exception):  # noqa: N818 - not an error
    """The client disconnected before the end of the body."""


class BodyReader:
    """Reads bodies, and counts the bytes of those that have arrived in part."""

    def __init__(self) -> None:
        self._held = 0

    async def read(self, scope: Scope, receive: Receive) -> bytes:
        """Return the body.

        Raises:
            BadReview: HTTP 413 if the body or its Content-Length exceeds MAX_BODY_BYTES, HTTP 429
                if all pending bodies exceed MAX_PENDING_BYTES.
            Disconnected: the client disconnected.

        """
        message = await receive()
        chunk = _chunk(message)
        if not message.get("more_body"):
            _check(len(chunk))
            return chunk
        _check(_content_length(scope))
        return await self._rest(bytearray(chunk), receive)

    async def _rest(self, body: bytearray, receive: Receive) -> bytes:
        held = len(body)
        self._held += held
        try:
            more = True
            while more:
                message = await receive()
                body += _chunk(message)
                self._held += len(body) - held
                held = len(body)
                _check(held)
                if self._held > MAX_PENDING_BYTES:
                    raise overloaded()
                more = message.get("more_body", False)
            return bytes(body)
        finally:
            self._held -= held


def overloaded() -> BadReview:
    text = "too many reviews at once, try again in a second"
    return BadReview(429, Reason.OVERLOADED, text)


def _chunk(message: Message) -> bytes:
    if message["type"] == "http.disconnect":
        raise Disconnected
    chunk: bytes = message.get("body", b"")
    return chunk


def _content_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0


def _check(size: int) -> None:
    if size > MAX_BODY_BYTES:
        text = f"the body of the review is too large, expected at most {MAX_BODY_BYTES} bytes"
        raise BadReview(413, Reason.REVIEW_TOO_LARGE, text)
