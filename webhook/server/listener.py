"""Two uvicorn servers in one event loop: reviews over TLS, probes and metrics over HTTP."""

import asyncio
import signal
import socket
import ssl
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from webhook.kube.messages import describe_os_error
from webhook.server.acceptor import BACKLOG, Acceptor
from webhook.server.config import MAX_CONCURRENT_REVIEWS, Address, ConfigError
from webhook.server.connections import Connection, Connections
from webhook.server.drain import Drain, DrainTimes
from webhook.server.http_protocol import BoundedHttpProtocol
from webhook.server.memory import Trimmer

KEEP_ALIVE_SECONDS = 150
"""The API server keeps an idle connection for 90 s. With a shorter time here, it would sometimes
send a review on a connection that is being closed, and not repeat it."""

SHUTDOWN_GRACE_SECONDS = 5
"""For reviews in flight when the server stops."""


class Server(uvicorn.Server):
    """A uvicorn server that limits its connections.

    It stops when it is drained, and not at the signal.
    """

    draining = False

    def __init__(self, config: uvicorn.Config, name: str, connections: Connections) -> None:
        super().__init__(config)
        self.name = name
        self.connections = connections
        self._trimmer = Trimmer()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept connections on these sockets, in place of uvicorn, which accepts any number."""

        def create_protocol(connection: Connection) -> BoundedHttpProtocol:
            return BoundedHttpProtocol(
                connection, config=self.config, server_state=self.server_state, app_state={}
            )

        acceptors = [
            Acceptor(self.name, own, self.config.ssl, self.connections, create_protocol)
            for own in sockets or ()
        ]
        for acceptor in acceptors:
            acceptor.start()
        self.servers = acceptors  # type: ignore[assignment] # it closes them as its own
        self.started = True

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to `run`: they are for both servers."""
        yield

    async def on_tick(self, counter: int) -> bool:
        """Return whether to stop; uvicorn calls it ten times a second."""
        self._trimmer.observe(len(self.connections))
        return await super().on_tick(counter)

    def close_connections(self) -> None:
        """Add `Connection: close` to every response from now on."""
        self.config.encoded_headers = [*self.config.encoded_headers, (b"connection", b"close")]
        self.server_state.default_headers = [
            *self.server_state.default_headers,
            (b"connection", b"close"),
        ]

    async def drain(self, times: DrainTimes) -> None:
        """Respond, and close each connection with its response, until the drain is over."""
        self.draining = True
        self.close_connections()
        state, now = self.server_state, asyncio.get_running_loop().time
        drain = Drain(times, state.total_requests, now())
        while not drain.is_over(state.total_requests, len(state.connections), now()):  # noqa: ASYNC110
            await asyncio.sleep(min(0.1, times.quiet))


def bind(address: Address, flag: str) -> socket.socket:
    """Listen on an address. Raises ConfigError, which names the flag."""
    try:
        return socket.create_server(
            address,
            family=socket.AF_INET6 if ":" in address.host else socket.AF_INET,
            backlog=BACKLOG,
            # `::` accepts IPv4 connections too.
            dualstack_ipv6=address.host == "::" and socket.has_dualstack_ipv6(),
        )
    except OSError as error:
        # Python appends the address, which the message has already.
        reason = describe_os_error(error).partition(" (while attempting")[0]
        raise ConfigError(f"{flag} {address}: {reason}") from None


def build(
    app: ASGIApp,
    name: str,
    context: ssl.SSLContext | None = None,
    max_concurrent: int = MAX_CONCURRENT_REVIEWS,
) -> Server:
    """Return a server for an application, over TLS if there is a context.

    Its name is in the log. `webhook.server.connections` derives its limits from `max_concurrent`.
    """
    config = uvicorn.Config(
        app,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=SHUTDOWN_GRACE_SECONDS,
        ssl_context_factory=(lambda _config, _default: context) if context else None,
    )
    return Server(config, name, Connections(max_concurrent))


async def run(
    reviews: Server, status: Server, sockets: tuple[socket.socket, socket.socket], times: DrainTimes
) -> None:
    """Serve both until SIGTERM or SIGINT, then drain; a second signal stops them at once."""
    loop = asyncio.get_running_loop()
    first, second = asyncio.Event(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _count_signal, first, second)
    serving = [
        asyncio.create_task(server.serve(sockets=[own]))
        for server, own in zip((reviews, status), sockets, strict=True)
    ]
    await _wait_for_first(first.wait(), *serving)
    await _wait_for_first(reviews.drain(times), second.wait(), *serving)
    for server, task in zip((reviews, status), serving, strict=True):
        server.should_exit, server.force_exit = True, second.is_set()
        await task


def _count_signal(first: asyncio.Event, second: asyncio.Event) -> None:
    (second if first.is_set() else first).set()


async def _wait_for_first(*those: Coroutine[None, None, object] | asyncio.Task[None]) -> None:
    """Wait for the first of these, and cancel the coroutines among the others."""
    coroutines = [asyncio.create_task(one) for one in those if not isinstance(one, asyncio.Task)]
    tasks = [one for one in those if isinstance(one, asyncio.Task)]
    await asyncio.wait([*coroutines, *tasks], return_when=asyncio.FIRST_COMPLETED)
    for task in coroutines:
        task.cancel()
