"""Reading the body of a request, and no more of it than is good for the server.

How long that may take says `webhook.server.http_protocol`.
"""

from starlette.types import Message, Receive, Scope

from webhook.admission.review import MAX_BODY_BYTES, BadReview
from webhook.model import Reason

ALL_BYTES = 4 * MAX_BODY_BYTES
"""Of all bodies together that are still on their way. Reviews of a few kilobytes never are."""


class Disconnected(Exception):  # noqa: N818 - nobody is to blame
    """The client went away before it had sent everything."""


class Bodies:
    """Reads bodies, as many at a time as there is room for."""

    def __init__(self) -> None:
        self._held = 0

    async def read(self, scope: Scope, receive: Receive) -> bytes:
        """Return the whole body.

        Raises BadReview, 413 when it is longer than MAX_BODY_BYTES and 429 when there is no
        room for it now, and Disconnected. A length that is announced is believed unread.
        """
        message = await receive()
        chunk = _chunk(message)
        if not message.get("more_body"):
            _check(len(chunk))
            return chunk
        _check(_announced(scope))
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
                if self._held > ALL_BYTES:
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


def _announced(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0


def _check(size: int) -> None:
    if size > MAX_BODY_BYTES:
        text = f"the body of the review is too large, expected at most {MAX_BODY_BYTES} bytes"
        raise BadReview(413, Reason.REVIEW_TOO_LARGE, text)
