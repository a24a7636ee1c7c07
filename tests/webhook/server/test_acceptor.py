"""Connections of several clients up to the limits and beyond, over real sockets."""

import asyncio
import contextlib
import errno
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import uvloop
from structlog.testing import capture_logs

from certs.serving.tls import SwappableContext
from tests.support.certificates import create_certificate
from tests.webhook.server.test_http_protocol import REQUEST, is_closed, read_response, respond_ok
from webhook.server import acceptor, connections, listener
from webhook.server.config import Address
from webhook.server.responses import send_json

API_SERVER, OTHER = "127.0.0.2", "127.0.0.3"
CERTIFICATE = create_certificate()
CLIENT = ssl.create_default_context(cadata=CERTIFICATE.ca.decode())
IDLE, CONCURRENT = 4, 2
OF_CLIENT = IDLE + CONCURRENT

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Running:
    def __init__(self, port: int, server: listener.Server, log: list[Any]) -> None:
        self.port = port
        self.server = server
        self.connections = server.connections
        self.log = log
        self._opened: list[asyncio.StreamWriter] = []

    async def connect(self, address: str, *, tls: bool = True) -> Streams:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1",
            self.port,
            local_addr=(address, 0),
            ssl=CLIENT if tls else None,
            server_hostname="localhost" if tls else None,
        )
        self._opened.append(writer)
        return reader, writer

    async def flood(self, number: int, *, tls: bool = False) -> list[Streams]:
        """Open connections of another client that never send a request; some are refused."""
        opened = []
        for _ in range(number):
            with contextlib.suppress(OSError):
                opened.append(await self.connect(OTHER, tls=tls))
        return opened

    async def wait_for(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not condition():  # noqa: ASYNC110 - the server's own state
                await asyncio.sleep(0.005)

    def close(self) -> None:
        for writer in self._opened:
            writer.transport.abort()


async def review(streams: Streams) -> None:
    streams[1].write(REQUEST)
    assert await read_response(streams[0])


@contextlib.asynccontextmanager
async def run_server(app: Any) -> AsyncIterator[Running]:
    tls = SwappableContext()
    tls.swap(CERTIFICATE.chain, CERTIFICATE.key)
    own = listener.bind(Address("127.0.0.1", 0), "--listen")
    server = listener.build(app, "reviews", tls.context, max_concurrent=CONCURRENT)
    with capture_logs() as log:
        task = asyncio.create_task(server.serve(sockets=[own]))
        running = Running(own.getsockname()[1], server, log)
        await running.wait_for(lambda: server.started)
        try:
            yield running
        finally:
            running.close()
            server.should_exit = True
            await asyncio.wait_for(task, 5)
    assert len(server.connections) == 0


def run(check: Callable[[Running], Awaitable[None]], app: Any = respond_ok) -> None:
    async def serve_and_check() -> None:
        async with run_server(app) as running:
            await check(running)

    uvloop.run(serve_and_check())


@pytest.fixture(autouse=True)
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MAX_IDLE_OF_API_SERVERS", IDLE)
    monkeypatch.setattr(connections, "SETTLING_SECONDS", 0.02)
    monkeypatch.setattr(connections, "MAX_CLIENTS_AT_LIMIT", 2)


@pytest.mark.parametrize("tls", [False, True], ids=["without a handshake", "without a request"])
def test_an_api_server_loses_nothing_while_another_client_opens_many_connections(
    tls: bool,
) -> None:
    async def check(running: Running) -> None:
        idle, spare = [await running.connect(API_SERVER) for _ in range(2)]
        await review(idle)
        for _ in range(10):
            await running.flood(3 * OF_CLIENT, tls=tls)
            await review(idle)
            new = await running.connect(API_SERVER)
            await review(new)
            new[1].close()
            assert len(running.connections) <= 2 * OF_CLIENT
            await asyncio.sleep(connections.SETTLING_SECONDS)
        await review(spare)
        assert running.connections.closed >= 9
        assert running.connections.closed + running.connections.refused >= 100
        limited = [line for line in running.log if line["event"] == "too many connections"]
        assert limited == [
            {
                "event": "too many connections",
                "log_level": "warning",
                "listener": "reviews",
                "client": OTHER,
                "open": limited[0]["open"],
                "closed": limited[0]["closed"],
                "refused": limited[0]["refused"],
            }
        ]

    run(check)


def test_half_requests_are_closed_for_others_and_requests_in_progress_are_not() -> None:
    release = asyncio.Event()

    async def wait_and_respond(scope: Any, receive: Any, send: Any) -> None:
        await release.wait()
        await respond_ok(scope, receive, send)

    async def check(running: Running) -> None:
        half, whole = [await running.connect(OTHER) for _ in range(2)]
        half[1].write(REQUEST[:-1])
        whole[1].write(REQUEST)
        await asyncio.sleep(0.05)
        for _ in range(2 * OF_CLIENT):
            await running.flood(1)
            await asyncio.sleep(0.025)
        assert await is_closed(half[0])
        release.set()
        assert await read_response(whole[0])

    run(check, wait_and_respond)


def test_connections_with_a_response_before_the_end_of_the_request_are_closed_for_others() -> None:
    async def respond_early(_scope: Any, _receive: Any, send: Any) -> None:
        await send_json(send, 200, b"{}")

    async def check(running: Running) -> None:
        for _ in range(OF_CLIENT):
            reader, writer = await running.connect(OTHER)
            for part in (REQUEST[:-1], REQUEST[-1:] + REQUEST[:-1]):
                writer.write(part)
                assert await read_response(reader)
            writer.write(REQUEST[-1:])
        await asyncio.sleep(2 * connections.SETTLING_SECONDS)
        await review(await running.connect(OTHER))
        assert (running.connections.closed, running.connections.refused) == (1, 0)

    run(check, respond_early)


def test_connections_that_end_in_any_way_are_no_longer_counted() -> None:
    async def check(running: Running) -> None:
        used = await running.connect(OTHER)
        await review(used)
        used[1].close()
        unused = await running.connect(OTHER)
        unused[1].transport.abort()
        ((_, handshake),) = await running.flood(1)
        handshake.close()
        ((_, garbage),) = await running.flood(1)
        garbage.write(b"GET / HTTP/1.1\r\n\r\n")
        refused = ssl.create_default_context()
        with pytest.raises(ssl.SSLError):
            await asyncio.open_connection(
                "127.0.0.1", running.port, ssl=refused, server_hostname="localhost"
            )
        await running.wait_for(lambda: len(running.connections) == 0)

    run(check)


def test_a_handshake_that_is_not_completed_is_closed_after_the_timeout(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(acceptor, "HANDSHAKE_TIMEOUT_SECONDS", 0.05)

    async def check(running: Running) -> None:
        ((reader, _),) = await running.flood(1)
        assert await is_closed(reader)
        assert len(running.connections) == 0

    run(check)


def test_many_handshakes_at_once_take_several_turns_of_the_event_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(acceptor, "HANDSHAKES_AT_ONCE", 2)
    monkeypatch.setattr(connections, "SETTLING_SECONDS", 0.0)
    begun = []

    def end_turn(self: acceptor.Acceptor) -> None:
        begun.append(self._handshakes)
        self._handshakes = 0

    monkeypatch.setattr(acceptor.Acceptor, "_end_turn", end_turn)

    async def check(running: Running) -> None:
        await asyncio.gather(*(running.connect(API_SERVER) for _ in range(OF_CLIENT)))
        assert sum(begun) == OF_CLIENT
        assert max(begun) <= 2

    run(check)


def test_a_server_stops_while_handshakes_are_not_complete() -> None:
    async def check(running: Running) -> None:
        await running.flood(3)
        await running.wait_for(lambda: len(running.connections) == 3)
        running.server.should_exit = True
        await running.wait_for(lambda: len(running.connections) == 0)

    run(check)


class FailingSocket:
    """A listening socket without file descriptors for new connections, for a while."""

    def __init__(self, own: socket.socket, failures: int) -> None:
        self._own = own
        self.failures = failures

    def __getattr__(self, name: str) -> Any:
        return getattr(self._own, name)

    def accept(self) -> Any:
        if self.failures:
            self.failures -= 1
            raise OSError(errno.EMFILE, "Too many open files")
        return self._own.accept()


@pytest.mark.parametrize("failures", [1, 3])
def test_after_too_many_open_files_connections_are_accepted_again(
    failures: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acceptor, "PAUSE_SECONDS", 0.05)
    bind = listener.bind
    monkeypatch.setattr(listener, "bind", lambda *those: FailingSocket(bind(*those), failures))

    async def check(running: Running) -> None:
        await review(await running.connect(API_SERVER))
        errors = [line["error"] for line in running.log]
        assert errors == ["too many open files"] * failures

    run(check)
