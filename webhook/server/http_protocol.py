"""uvicorn's HTTP protocol with limits on the size of headers and the duration of a request.

httptools accepts headers of any size, and uvicorn waits without limit for the rest of a request.
A client could fill the memory with one header, or occupy all connections with idle ones.
`webhook.server.body` limits the size of a body.

A new connection is kept as long as one between two requests: the API server often opens one more
than it needs, and sends a review on it a minute later.
"""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEADER_BYTES = 64 * 1024
"""Of a request line and its headers; the API server sends some 300."""

REQUEST_TIMEOUT_SECONDS = 10.0
"""From the first byte of a request to its last: the API server's default timeout of a webhook."""


class BoundedHttpProtocol(HttpToolsProtocol):
    """Aborts connections whose request takes too long or has too large headers."""

    _header_bytes: int | None = 0
    """Bytes received of an incomplete header; None when it is complete."""
    _incomplete = True
    """True until the whole request has been received."""
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_timer()
        self._unset_keepalive_if_required()  # uvicorn does not if the client resets the connection
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        self._incomplete, self._header_bytes = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._header_bytes = None
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._incomplete = False
        self._cancel_timer()
        super().on_message_complete()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self._incomplete:
            return
        if self._header_bytes is not None:
            self._header_bytes += len(data)
            if self._header_bytes > MAX_HEADER_BYTES:
                self._abort()
                return
        if self._timer is None:
            self._timer = self.loop.call_later(REQUEST_TIMEOUT_SECONDS, self._abort)

    def _abort(self) -> None:
        self._cancel_timer()
        self.transport.abort()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
