"""uvicorn's HTTP protocol with limits on the size and duration of requests and responses.

httptools accepts headers, trailers and pipelined requests without limit, and uvicorn waits without
limit for the rest of a request, and for a client that does not read its response. A client could
fill the memory with one header, occupy all connections, or block the event loop with thousands of
requests in one packet. `webhook.server.body` limits the size of a body.

A new connection is kept as long as one between two requests: the API server often opens one more
than it needs, and sends a review on it a minute later.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from webhook.server.connections import Connection

BUFFER_BYTES = 64 * 1024
"""Of a connection, in each direction, in the kernel and in the process. By default it is megabytes,
which a client fills by not reading its responses."""

PARSED_BYTES = 16 * 1024
"""At once, before the limits are checked."""

MAX_OVERHEAD_BYTES = 32 * 1024
"""Of a request without its body: the request line, headers, framing of chunks, and trailers. The
API server sends some 300."""

MAX_HEADERS = 100
"""In a request; the API server sends 7."""

MAX_PIPELINED = 10
"""Requests that wait for the response to the one before them; the API server sends none."""

REQUEST_TIMEOUT_SECONDS = 10.0
"""From the first byte of a request to its last: the API server's default timeout of a webhook."""

WRITE_TIMEOUT_SECONDS = 10.0
"""For a client that does not read its response."""


class RequestTooLarge(Exception):  # noqa: N818 - not an error
    """More headers or pipelined requests than a client may send."""


class BoundedHttpProtocol(HttpToolsProtocol):
    """Aborts connections whose request or response takes too long or is too large."""

    _overhead = 0
    """Bytes received that are not in bodies, since the last complete request."""
    _incomplete = True
    """True until the whole request has been received."""
    _reading: asyncio.TimerHandle | None = None
    _writing: asyncio.TimerHandle | None = None

    def __init__(self, connection: Connection, **of_uvicorn: Any) -> None:
        super().__init__(**of_uvicorn)
        self._connection = connection

    @property
    def is_connected(self) -> bool:
        """True from the end of the handshake on, also after the connection is lost."""
        return self.transport is not None  # uvicorn's type lacks None

    def abort(self) -> None:
        """Close the connection at once."""
        self._cancel_reading()
        self.transport.abort()

    def discard(self) -> None:
        """Release what belongs to a connection whose handshake has failed."""
        # It refers to the protocol; uvicorn does the same when a connection is lost.
        self.parser = None  # type: ignore[assignment]
        self._connection.close()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        transport.set_write_buffer_limits(BUFFER_BYTES)
        self._expect_request()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_reading()
        self._cancel_writing()
        self._unset_keepalive_if_required()  # uvicorn does not if the client resets the connection
        self._connection.close()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        if len(self.pipeline) >= MAX_PIPELINED:
            raise RequestTooLarge
        self._incomplete = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        if len(self.headers) > MAX_HEADERS:
            raise RequestTooLarge
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._overhead -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._incomplete, self._overhead = False, 0
        self._cancel_reading()
        if not self.cycle.response_complete:
            self._connection.begin_response()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        if not self.pipeline:
            self._connection.end_response()
        super().on_response_complete()

    def data_received(self, data: bytes) -> None:
        if len(data) <= PARSED_BYTES:
            self._parse(data)
            return
        for start in range(0, len(data), PARSED_BYTES):
            if not self.transport.is_closing():
                self._parse(data[start : start + PARSED_BYTES])

    def _parse(self, data: bytes) -> None:
        self._overhead += len(data)
        super().data_received(data)
        if self._incomplete:
            if self._overhead > MAX_OVERHEAD_BYTES:
                self.abort()
            elif self._reading is None and not self.transport.is_closing():
                self._reading = self.loop.call_later(REQUEST_TIMEOUT_SECONDS, self.abort)
        elif self.cycle.response_complete and self.timeout_keep_alive_task is None:
            self._expect_request()  # the data was an empty line between two requests

    def send_400_response(self, msg: str) -> None:
        """Respond to a request that cannot be parsed, or abort if a limit is exceeded."""
        if self.pipeline:
            self.abort()  # the response would be taken for that of an earlier request
        else:
            super().send_400_response(msg)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._cancel_writing()
        self._writing = self.loop.call_later(WRITE_TIMEOUT_SECONDS, self.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._cancel_writing()

    def _unsupported_upgrade_warning(self) -> None:
        """Respond over HTTP/1.1, as to a client without an upgrade, and close the connection.

        The parser reads no other request after it.
        """
        if self.cycle.response_complete:
            self.transport.close()
        else:
            self.cycle.keep_alive = False

    def _expect_request(self) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

    def _cancel_reading(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None

    def _cancel_writing(self) -> None:
        if self._writing is not None:
            self._writing.cancel()
            self._writing = None
