"""Two servers in one loop, told by signals when to go: over real sockets, as curl sees them."""

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


async def fine(_scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send_json(send, 200, b"{}")


class Running(NamedTuple):
    reviews: listener.Server
    port: int
    status_port: int
    task: asyncio.Task[None]

    async def ended(self, seconds: float) -> bool:
        done, _ = await asyncio.wait([self.task], timeout=seconds)
        return bool(done)


@contextlib.asynccontextmanager
async def running(times: DrainTimes) -> AsyncIterator[Running]:
    reviews, status = listener.build(fine), listener.build(fine)
    sockets = [listener.bind(Address("127.0.0.1", 0), "--listen") for _ in range(2)]
    task = asyncio.create_task(listener.run(reviews, status, (sockets[0], sockets[1]), times))
    while not (reviews.started and status.started):  # noqa: ASYNC110 - uvicorn's flags
        await asyncio.sleep(0.01)
    port, status_port = (own.getsockname()[1] for own in sockets)
    try:
        yield Running(reviews, port, status_port, task)
    finally:
        reviews.should_exit = status.should_exit = True
        await task


class Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def get(self) -> dict[str, str]:
        """Send a request; return the answer's headers, under "" its status."""
        self._writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
        await self._reader.readexactly(2)
        return {"": head[0]} | dict(line.lower().split(": ", 1) for line in head[1:])

    async def closed(self) -> bool:
        rest = await self._reader.read()
        self.close()
        return rest == b""

    def close(self) -> None:
        self._writer.close()


async def client(port: int) -> Client:
    return Client(*await asyncio.open_connection("127.0.0.1", port))


def test_a_connection_is_kept_and_nothing_is_said_of_the_server() -> None:
    async def scene() -> None:
        async with running(QUICK) as now:
            one = await client(now.port)
            for _ in range(3):
                answer = await one.get()
                assert answer[""] == "HTTP/1.1 200 OK"
                assert answer.keys() == {"", "date", "content-type", "content-length"}
            one.close()
            assert now.reviews.config.timeout_keep_alive > 90

    asyncio.run(scene())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_that_drains_answers_and_sends_its_clients_away_and_ends(number: int) -> None:
    async def scene() -> None:
        async with running(QUICK) as now:
            old = await client(now.port)
            await old.get()
            os.kill(os.getpid(), number)
            await asyncio.sleep(0.05)
            new = await client(now.port)
            for one in (old, new):
                assert (await one.get())["connection"] == "close"
                assert await one.closed()
            probe = await client(now.status_port)
            assert "connection" not in await probe.get()
            probe.close()
            assert now.reviews.draining
            assert await now.ended(5)

    asyncio.run(scene())


def test_a_connection_that_is_held_is_not_closed_under_whoever_comes_back_to_it() -> None:
    async def scene() -> None:
        async with running(QUICK) as now:
            one = await client(now.port)
            await one.get()
            os.kill(os.getpid(), signal.SIGTERM)
            assert not await now.ended(2 * QUICK.at_least)
            assert (await one.get())["connection"] == "close"
            assert await one.closed()
            assert await now.ended(5)

    asyncio.run(scene())


def test_the_header_outlives_the_second_in_which_uvicorn_renews_its_own() -> None:
    async def scene() -> None:
        async with running(NEVER) as now:
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(0.05)
            await now.reviews.on_tick(0)
            one = await client(now.port)
            assert (await one.get())["connection"] == "close"
            assert await one.closed()

    asyncio.run(scene())


def test_a_second_signal_ends_it_at_once() -> None:
    async def scene() -> None:
        async with running(NEVER) as now:
            os.kill(os.getpid(), signal.SIGTERM)
            assert not await now.ended(0.2)
            os.kill(os.getpid(), signal.SIGTERM)
            assert await now.ended(5)

    asyncio.run(scene())


def test_all_addresses_are_all_addresses() -> None:
    for host in ["0.0.0.0", *(["::"] if socket.has_dualstack_ipv6() else [])]:
        with listener.bind(Address(host, 0), "--listen") as bound:
            port = bound.getsockname()[1]
            with socket.create_connection(("127.0.0.1", port)):
                pass


def test_an_address_in_use_is_an_error_that_names_the_flag() -> None:
    with listener.bind(Address("127.0.0.1", 0), "--listen") as taken:
        address = Address(*taken.getsockname())
        with pytest.raises(ConfigError) as error:
            listener.bind(address, "--listen")
    assert str(error.value) == f"--listen {address}: address already in use"


def test_an_address_that_is_not_ours_is_an_error() -> None:
    with pytest.raises(ConfigError) as error:
        listener.bind(Address("192.0.2.1", 0), "--status-listen")
    assert str(error.value) == "--status-listen 192.0.2.1:0: cannot assign requested address"
