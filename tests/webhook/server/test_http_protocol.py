"""Clients that never come to the point, over real sockets."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable

import pytest
import uvloop
from starlette.types import Receive, Scope, Send

from webhook.server import http_protocol, listener
from webhook.server.config import Address
from webhook.server.responses import send_json

Scene = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
REQUEST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"


async def fine(_scope: Scope, receive: Receive, send: Send) -> None:
    while (await receive()).get("more_body"):
        pass
    await send_json(send, 200, b"{}")


def play(scene: Scene) -> None:
    async def whole() -> None:
        own = listener.bind(Address("127.0.0.1", 0), "--listen")
        serving = listener.build(fine)
        task = asyncio.create_task(serving.serve(sockets=[own]))
        reader, writer = await asyncio.open_connection(*own.getsockname())
        try:
            await scene(reader, writer)
        finally:
            writer.close()
            serving.should_exit = serving.force_exit = True
            await task

    uvloop.run(whole())


async def answered(reader: asyncio.StreamReader) -> bool:
    head = await reader.readuntil(b"\r\n\r\n")
    return head.startswith(b"HTTP/1.1 200") and await reader.readexactly(2) == b"{}"


async def ended(reader: asyncio.StreamReader) -> bool:
    try:
        return await asyncio.wait_for(reader.read(), 5) == b""
    except ConnectionError:
        return True


def ends_after(*said: bytes) -> Scene:
    """Send all of this, with an answer to each whole request, and have the connection ended."""

    async def scene(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for each in said:
            writer.write(each)
            assert not each.startswith(REQUEST) or await answered(reader)
        assert await ended(reader)

    return scene


def test_a_head_may_come_in_pieces_and_one_after_another() -> None:
    async def scene(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for piece in (REQUEST[:1], REQUEST[1:20], REQUEST[20:], REQUEST, REQUEST[:-1]):
            writer.write(piece)
            await asyncio.sleep(0.01)
        writer.write(REQUEST[-1:])
        assert [await answered(reader) for _ in range(3)] == [True] * 3

    play(scene)


@pytest.mark.parametrize("before", [b"", REQUEST], ids=["first", "second"])
@pytest.mark.parametrize(
    "endless",
    [b"POST /" + b"x" * 100_000, REQUEST[:-6] + b"\r\nX: " + b"x" * 100_000],
    ids=["path", "header"],
)
def test_a_head_without_end_ends_the_connection(before: bytes, endless: bytes) -> None:
    play(ends_after(before, endless))


@pytest.mark.parametrize("said", [REQUEST[:10], REQUEST[:-2], REQUEST[:-1], REQUEST + REQUEST[:10]])
def test_a_request_that_does_not_come_ends_the_connection(
    said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_protocol, "REQUEST_TIMEOUT_SECONDS", 0.05)
    play(ends_after(said))


@pytest.mark.parametrize("said", [b"", REQUEST])
def test_an_idle_connection_ends_when_the_api_server_has_given_it_up(
    said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "KEEP_ALIVE_SECONDS", 0.1)
    play(ends_after(said))


@pytest.mark.parametrize("said", [b"", REQUEST])
def test_a_connection_that_the_client_resets_leaves_no_timer(
    said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[http_protocol.BoundedHttpProtocol] = []

    class Watched(http_protocol.BoundedHttpProtocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            made.append(self)

    async def scene(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        assert not said or await answered(reader)
        while not made:  # noqa: ASYNC110 - uvicorn's own state, as below
            await asyncio.sleep(0.001)
        assert made[0].timeout_keep_alive_task is not None
        linger = struct.pack("ii", 1, 0)  # close sends a reset
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.close()
        while made[0].connections:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        assert made[0].timeout_keep_alive_task is None

    monkeypatch.setattr(listener, "BoundedHttpProtocol", Watched)
    play(scene)


def test_a_request_may_be_slow_and_a_connection_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "REQUEST_TIMEOUT_SECONDS", 0.2)

    async def scene(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.25)
        writer.write(REQUEST[:-1])
        await asyncio.sleep(0.05)
        writer.write(REQUEST[-1:])
        assert await answered(reader)
        await asyncio.sleep(0.25)
        writer.write(REQUEST)
        assert await answered(reader)

    play(scene)
