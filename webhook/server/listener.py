"""Two uvicorn servers in one event loop: reviews over TLS, and probes and metrics beside them."""

import asyncio
import signal
import socket
import ssl
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from webhook.server.config import Address, ConfigError, in_words
from webhook.server.drain import Drain, Times
from webhook.server.http_protocol import Protocol

KEEP_ALIVE = 150
"""Seconds. The API server keeps an idle connection for 90 s; were ours shorter, it would now and
then send a review into a connection that is just being closed, and not repeat it."""

GRACE = 5
"""Seconds for reviews under way when the server stops."""


class Server(uvicorn.Server):
    """uvicorn's, but told when to stop by `drain` and not by the signal itself."""

    draining = False

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone: they are for both servers, see `serve`."""
        yield

    def close_connections(self) -> None:
        """Add `Connection: close` to every answer from now on."""
        self.config.encoded_headers = [*self.config.encoded_headers, (b"connection", b"close")]
        self.server_state.default_headers = [
            *self.server_state.default_headers,
            (b"connection", b"close"),
        ]

    async def drain(self, times: Times) -> None:
        """Go on answering, on connections that end, until nobody is there any more."""
        self.draining = True
        self.close_connections()
        state, now = self.server_state, asyncio.get_running_loop().time
        drain = Drain(times, state.total_requests, now())
        while not drain.over(state.total_requests, len(state.connections), now()):  # noqa: ASYNC110
            await asyncio.sleep(min(0.1, times.quiet))


def bind(address: Address, flag: str) -> socket.socket:
    """Listen there. Raises ConfigError, which names the flag."""
    try:
        return socket.create_server(
            address,
            family=socket.AF_INET6 if ":" in address.host else socket.AF_INET,
            backlog=2048,
            # All addresses of a host include those of IPv4, also where its own are of IPv6.
            dualstack_ipv6=address.host == "::" and socket.has_dualstack_ipv6(),
        )
    except OSError as error:
        reason = in_words(error)
        raise ConfigError(f"{flag} {address}: {reason}") from None


def make(app: ASGIApp, context: ssl.SSLContext | None = None) -> Server:
    """Make a server for an application, over TLS where a context is given."""
    config = uvicorn.Config(
        app,
        http=Protocol,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=GRACE,
        ssl_context_factory=(lambda _config, _default: context) if context else None,
    )
    return Server(config)


async def run(
    reviews: Server, status: Server, sockets: tuple[socket.socket, socket.socket], times: Times
) -> None:
    """Serve both until SIGTERM or SIGINT, then drain; a second signal ends it at once."""
    loop = asyncio.get_running_loop()
    told, again = asyncio.Event(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _tell, told, again)
    serving = [
        asyncio.create_task(server.serve(sockets=[own]))
        for server, own in zip((reviews, status), sockets, strict=True)
    ]
    await _first(told.wait(), *serving)
    await _first(reviews.drain(times), again.wait(), *serving)
    for server, task in zip((reviews, status), serving, strict=True):
        server.should_exit, server.force_exit = True, again.is_set()
        await task


def _tell(told: asyncio.Event, again: asyncio.Event) -> None:
    (again if told.is_set() else told).set()


async def _first(*those: Coroutine[None, None, object] | asyncio.Task[None]) -> None:
    """Wait for the first of these; what is no task of somebody else's ends with it."""
    ours = [asyncio.create_task(one) for one in those if not isinstance(one, asyncio.Task)]
    theirs = [one for one in those if isinstance(one, asyncio.Task)]
    await asyncio.wait([*ours, *theirs], return_when=asyncio.FIRST_COMPLETED)
    for task in ours:
        task.cancel()
