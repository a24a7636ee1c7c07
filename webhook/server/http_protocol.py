"""uvicorn's HTTP protocol, with an end to requests that do not come to one.

httptools takes headers of any size, and uvicorn waits for ever for a request or its rest. A
stranger could fill the memory with one header, and keep others out with clients that say
nothing. How large a body may be says `webhook.server.body`.

A connection with nothing on it yet is kept as long as one between two requests: the API server
often opens one more than it turns out to need, and sends a review into it a minute later.
"""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES = 64 * 1024
"""Of a request's line and headers; the API server sends some 300."""

SECONDS = 10.0
"""From a request's first byte to its last: as long as the API server waits for an answer when it
is not told how long."""


class Protocol(HttpToolsProtocol):
    """Ends connections whose request is too slow, or too large before its body."""

    _head: int | None = 0
    """Bytes so far of a head that did not come at once; None when it is complete."""
    _awaited = True
    """Whether there is something of a request still to come."""
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        self._unset_keepalive_if_required()  # uvicorn forgets to where the client resets
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        self._awaited, self._head = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._head = None
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._awaited = False
        self._forget()
        super().on_message_complete()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self._awaited:
            return
        if self._head is not None:
            self._head += len(data)
            if self._head > HEAD_BYTES:
                self._end()
                return
        if self._timer is None:
            self._timer = self.loop.call_later(SECONDS, self._end)

    def _end(self) -> None:
        self._forget()
        self.transport.abort()

    def _forget(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
