"""Two servers in one event loop that drain after a signal, over real sockets."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest
from starlette.types import Receive, Scope, Send

from webhook.server import listener
from webhook.server.config import Address, ConfigError
from webhook.server.drain import DrainTimes
from webhook.server.responses import send_json

QUICK = DrainTimes(at_least=0.2, quiet=0.1, at_most=5)
NEVER = DrainTimes(at_least=600, quiet=600, at_most=600)


async def respond_ok(_scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send_json(send, 200, b"{}")


class Servers(NamedTuple):
    reviews: listener.Server
    port: int
    status_port: int
    task: asyncio.Task[None]

    async def has_ended(self, seconds: float) -> bool:
        done, _ = await asyncio.wait([self.task], timeout=seconds)
        return bool(done)


@contextlib.asynccontextmanager
async def run_servers(times: DrainTimes) -> AsyncIterator[Servers]:
    reviews, status = (listener.build(respond_ok, name) for name in ("reviews", "status"))
    sockets = [listener.bind(Address("127.0.0.1", 0), "--listen") for _ in range(2)]
    task = asyncio.create_task(listener.run(reviews, status, (sockets[0], sockets[1]), times))
    while not (reviews.started and status.started):  # noqa: ASYNC110 - uvicorn's flags
        await asyncio.sleep(0.01)
    port, status_port = (own.getsockname()[1] for own in sockets)
    try:
        yield Servers(reviews, port, status_port, task)
    finally:
        reviews.should_exit = status.should_exit = True
        await task


class Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def get(self) -> dict[str, str]:
        """Send a request; return the headers of the response, and its status line under ""."""
        self._writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
        await self._reader.readexactly(2)
        return {"": head[0]} | dict(line.lower().split(": ", 1) for line in head[1:])

    async def is_closed(self) -> bool:
        rest = await self._reader.read()
        self.close()
        return rest == b""

    def close(self) -> None:
        self._writer.close()


async def connect(port: int) -> Client:
    return Client(*await asyncio.open_connection("127.0.0.1", port))


def test_a_connection_is_kept_and_a_response_does_not_name_the_server() -> None:
    async def check() -> None:
        async with run_servers(QUICK) as servers:
            one = await connect(servers.port)
            for _ in range(3):
                response = await one.get()
                assert response[""] == "HTTP/1.1 200 OK"
                assert response.keys() == {"", "date", "content-type", "content-length"}
            one.close()
            assert servers.reviews.config.timeout_keep_alive > 90

    asyncio.run(check())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_draining_server_responds_closes_its_connections_and_stops(number: int) -> None:
    async def check() -> None:
        async with run_servers(QUICK) as servers:
            old = await connect(servers.port)
            await old.get()
            os.kill(os.getpid(), number)
            await asyncio.sleep(0.05)
            new = await connect(servers.port)
            for one in (old, new):
                assert (await one.get())["connection"] == "close"
                assert await one.is_closed()
            probe = await connect(servers.status_port)
            assert "connection" not in await probe.get()
            probe.close()
            assert servers.reviews.draining
            assert await servers.has_ended(5)

    asyncio.run(check())


def test_a_draining_server_keeps_an_idle_connection_until_its_next_response() -> None:
    async def check() -> None:
        async with run_servers(QUICK) as servers:
            one = await connect(servers.port)
            await one.get()
            os.kill(os.getpid(), signal.SIGTERM)
            assert not await servers.has_ended(2 * QUICK.at_least)
            assert (await one.get())["connection"] == "close"
            assert await one.is_closed()
            assert await servers.has_ended(5)

    asyncio.run(check())


def test_the_close_header_is_sent_after_uvicorn_has_updated_its_default_headers() -> None:
    async def check() -> None:
        async with run_servers(NEVER) as servers:
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(0.05)
            await servers.reviews.on_tick(0)
            one = await connect(servers.port)
            assert (await one.get())["connection"] == "close"
            assert await one.is_closed()

    asyncio.run(check())


def test_a_second_signal_stops_the_servers_at_once() -> None:
    async def check() -> None:
        async with run_servers(NEVER) as servers:
            os.kill(os.getpid(), signal.SIGTERM)
            assert not await servers.has_ended(0.2)
            os.kill(os.getpid(), signal.SIGTERM)
            assert await servers.has_ended(5)

    asyncio.run(check())


def test_all_ipv4_and_ipv6_addresses_accept_ipv4_connections() -> None:
    for host in ["0.0.0.0", *(["::"] if socket.has_dualstack_ipv6() else [])]:
        with listener.bind(Address(host, 0), "--listen") as bound:
            port = bound.getsockname()[1]
            with socket.create_connection(("127.0.0.1", port)):
                pass


def test_an_address_in_use_is_an_error_with_the_flag() -> None:
    with listener.bind(Address("127.0.0.1", 0), "--listen") as taken:
        address = Address(*taken.getsockname())
        with pytest.raises(ConfigError) as error:
            listener.bind(address, "--listen")
    assert str(error.value) == f"--listen {address}: address already in use"


def test_an_address_of_another_host_is_an_error() -> None:
    with pytest.raises(ConfigError) as error:
        listener.bind(Address("192.0.2.1", 0), "--status-listen")
    assert str(error.value) == "--status-listen 192.0.2.1:0: cannot assign requested address"
