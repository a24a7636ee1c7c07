"""Accepts connections within the limits of `webhook.server.connections`.

uvloop's own server reports a connection only after its handshake, and without limit. Here each
connection is known by its address before the first byte is read.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from time import monotonic

import structlog

from webhook.kube.messages import describe_os_error
from webhook.server.connections import Connection, Connections, normalize
from webhook.server.http_protocol import BUFFER_BYTES, BoundedHttpProtocol

BACKLOG = 2048

ACCEPTED_AT_ONCE = 32
"""Between two turns of the event loop, so that open connections are served during a flood."""

HANDSHAKES_AT_ONCE = 16
"""Between two turns of the event loop: a handshake takes half a millisecond of CPU."""

HANDSHAKE_TIMEOUT_SECONDS = 10.0
"""As long as the API server's default timeout of a webhook."""

CLOSE_TIMEOUT_SECONDS = 5.0
"""For the client's side of closing a TLS connection, and as long as the shutdown's grace."""

PAUSE_SECONDS = 1.0
"""After an error such as too many open files, which would otherwise occur again at once."""

LOG_SECONDS = 60.0
"""Between two lines about connections that exceed a limit."""

log = structlog.get_logger()


class Acceptor:
    """Accepts the connections of one listening socket; uvicorn closes it as an `asyncio.Server`."""

    def __init__(
        self,
        name: str,
        listener: socket.socket,
        context: ssl.SSLContext | None,
        connections: Connections,
        create_protocol: Callable[[Connection], BoundedHttpProtocol],
    ) -> None:
        self._name = name
        self._socket = listener
        self._context = context
        self._connections = connections
        self._create_protocol = create_protocol
        self._loop = asyncio.get_running_loop()
        self._opening: set[asyncio.Task[None]] = set()
        self._handshakes = 0
        """Begun since the last turn of the event loop."""
        self._pause: asyncio.TimerHandle | None = None
        self._next_log = 0.0

    def start(self) -> None:
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):  # accepted sockets inherit them
            self._socket.setsockopt(socket.SOL_SOCKET, option, BUFFER_BYTES)
        self._socket.setblocking(False)
        self._loop.add_reader(self._socket, self._accept)

    def close(self) -> None:
        """Accept no more connections, and abort those whose handshake is not complete."""
        self._loop.remove_reader(self._socket)
        if self._pause is not None:
            self._pause.cancel()
        for task in self._opening:
            task.cancel()

    async def wait_closed(self) -> None:
        """Wait until the aborted connections are closed."""
        await asyncio.gather(*self._opening, return_exceptions=True)

    def _accept(self) -> None:
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                client, address = self._socket.accept()
            except BlockingIOError:
                return
            except ConnectionError:
                continue  # the client has closed it already
            except OSError as error:
                reason = describe_os_error(error)
                log.warning("cannot accept connections", listener=self._name, error=reason)
                self._loop.remove_reader(self._socket)
                self._pause = self._loop.call_later(PAUSE_SECONDS, self.start)
                return
            self._open(client, normalize(address[0]))

    def _open(self, client: socket.socket, address: str) -> None:
        before = self._connections.closed, self._connections.refused
        connection = self._connections.open(address, monotonic())
        if before != (self._connections.closed, self._connections.refused):
            self._log_limit(address)
        if connection is None:
            client.close()
            return
        client.setblocking(False)
        protocol = self._create_protocol(connection)
        task = self._loop.create_task(self._connect(client, protocol))
        connection.abort = partial(_abort, protocol, task)
        self._opening.add(task)
        task.add_done_callback(partial(self._end_opening, client, protocol))

    async def _connect(self, client: socket.socket, protocol: BoundedHttpProtocol) -> None:
        """Complete the handshake; from then on the event loop reports the end to the protocol."""
        tls = self._context is not None
        with suppress(OSError):  # also ssl.SSLError and TimeoutError
            if tls:
                await self._wait_for_handshake(client)
            await self._loop.connect_accepted_socket(
                lambda: protocol,
                client,
                ssl=self._context,
                ssl_handshake_timeout=HANDSHAKE_TIMEOUT_SECONDS if tls else None,
                ssl_shutdown_timeout=CLOSE_TIMEOUT_SECONDS if tls else None,
            )

    async def _wait_for_handshake(self, client: socket.socket) -> None:
        """Wait for the client's first bytes, then for a turn of the event loop with few others.

        Raises TimeoutError if the client sends nothing.
        """
        arrived = asyncio.Event()
        self._loop.add_reader(client, arrived.set)
        try:
            await asyncio.wait_for(arrived.wait(), HANDSHAKE_TIMEOUT_SECONDS)
        finally:
            self._loop.remove_reader(client)
        while self._handshakes >= HANDSHAKES_AT_ONCE:  # noqa: ASYNC110 - the loop's turns
            await asyncio.sleep(0)
        if not self._handshakes:
            self._loop.call_soon(self._end_turn)
        self._handshakes += 1

    def _end_turn(self) -> None:
        self._handshakes = 0

    def _end_opening(
        self, client: socket.socket, protocol: BoundedHttpProtocol, task: asyncio.Task[None]
    ) -> None:
        self._opening.discard(task)
        if not protocol.is_connected:
            protocol.discard()
            client.close()

    def _log_limit(self, address: str) -> None:
        if monotonic() >= self._next_log:
            self._next_log = monotonic() + LOG_SECONDS
            log.warning(
                "too many connections",
                listener=self._name,
                client=address,
                open=len(self._connections),
                closed=self._connections.closed,
                refused=self._connections.refused,
            )


def _abort(protocol: BoundedHttpProtocol, handshake: asyncio.Task[None]) -> None:
    if protocol.is_connected:
        protocol.abort()
    else:
        handshake.cancel()
