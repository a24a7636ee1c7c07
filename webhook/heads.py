"""uvicorn's HTTP protocol, with an end to what comes before a body.

httptools takes headers of any size, for as long as they take, and uvicorn waits for ever for
a first request. A stranger could fill the memory with one header, and hold any number of
connections open for nothing. For bodies see `webhook.body`.
"""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

BYTES = 64 * 1024
"""Of a request's line and headers; the API server sends some 300."""

SECONDS = 10.0
"""From the first byte of a head, or from the connection, to the end of the head."""


class Protocol(HttpToolsProtocol):
    """Ends connections whose request's head is too long or too slow."""

    _head = 0
    """Bytes of the head that is being read, as far as it was not complete at once."""
    _reading = True
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._timer = self.loop.call_later(SECONDS, self._end)

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        self._reading, self._head = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._reading = False
        if self._timer is not None:
            self._forget()
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self._reading:
            return
        self._head += len(data)
        if self._head > BYTES:
            self._end()
        elif self._timer is None:
            self._timer = self.loop.call_later(SECONDS, self._end)

    def _end(self) -> None:
        self._forget()
        self.transport.abort()

    def _forget(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
