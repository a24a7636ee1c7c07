"""Reading of request bodies, within limits of size.

`webhook.server.http_protocol` limits the time.
"""

from collections.abc import Callable

from starlette.types import Message, Receive, Scope

from webhook.admission.review import MAX_BODY_BYTES, BadReview
from webhook.model import Reason


class Disconnected(Exception):  # noqa: N818 - not an error
    """The client disconnected before the end of the body."""


async def read_body(scope: Scope, receive: Receive, hold: Callable[[int], None]) -> bytes:
    """Return the body. `hold` is called with the bytes that have arrived, if more are to come.

    Raises:
        BadReview: HTTP 413 if the body or its Content-Length exceeds MAX_BODY_BYTES, or what `hold`
            raises.
        Disconnected: the client disconnected.

    """
    message = await receive()
    chunk = _chunk(message)
    if not message.get("more_body"):
        _check(len(chunk))
        return chunk
    _check(_content_length(scope))
    body = bytearray(chunk)
    while message.get("more_body"):
        hold(len(body))
        message = await receive()
        body += _chunk(message)
        _check(len(body))
    return bytes(body)


def _chunk(message: Message) -> bytes:
    if message["type"] == "http.disconnect":
        raise Disconnected
    chunk: bytes = message.get("body", b"")
    return chunk


def _content_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(b"0" + value.lstrip(b"0"))  # `int` accepts at most 4300 digits
    return 0


def _check(size: int) -> None:
    if size > MAX_BODY_BYTES:
        text = f"the body of the review is too large, expected at most {MAX_BODY_BYTES} bytes"
        raise BadReview(413, Reason.REVIEW_TOO_LARGE, text)
