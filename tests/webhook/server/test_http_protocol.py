"""Clients that send too much or too little, over real sockets."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable

import pytest
import uvloop
from starlette.types import ASGIApp, Receive, Scope, Send

from webhook.server import http_protocol, listener
from webhook.server.config import Address
from webhook.server.responses import send_json

Exchange = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
REQUEST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"


async def respond_ok(_scope: Scope, receive: Receive, send: Send) -> None:
    while (await receive()).get("more_body"):
        pass
    await send_json(send, 200, b"{}")


def run(exchange: Exchange, app: ASGIApp = respond_ok) -> None:
    async def serve_and_run() -> None:
        own = listener.bind(Address("127.0.0.1", 0), "--listen")
        server = listener.build(app, "reviews")
        task = asyncio.create_task(server.serve(sockets=[own]))
        reader, writer = await asyncio.open_connection(*own.getsockname())
        try:
            await exchange(reader, writer)
        finally:
            writer.close()
            server.should_exit = server.force_exit = True
            await task

    uvloop.run(serve_and_run())


async def read_response(reader: asyncio.StreamReader) -> bool:
    head = await reader.readuntil(b"\r\n\r\n")
    return head.startswith(b"HTTP/1.1 200") and await reader.readexactly(2) == b"{}"


async def is_closed(reader: asyncio.StreamReader) -> bool:
    try:
        return await asyncio.wait_for(reader.read(), 5) == b""
    except ConnectionError:
        return True


def expect_close_after(*sent: bytes) -> Exchange:
    """Send this, expect a response to each complete request, and then the end of the connection."""

    async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for each in sent:
            writer.write(each)
            assert not each.startswith(REQUEST) or await read_response(reader)
        assert await is_closed(reader)

    return exchange


def test_requests_may_arrive_in_pieces_and_pipelined() -> None:
    async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for piece in (REQUEST[:1], REQUEST[1:20], REQUEST[20:], REQUEST, REQUEST[:-1]):
            writer.write(piece)
            await asyncio.sleep(0.01)
        writer.write(REQUEST[-1:])
        assert [await read_response(reader) for _ in range(3)] == [True] * 3

    run(exchange)


@pytest.mark.parametrize("before", [b"", REQUEST], ids=["first", "second"])
@pytest.mark.parametrize(
    "endless",
    [b"POST /" + b"x" * 100_000, REQUEST[:-6] + b"\r\nX: " + b"x" * 100_000],
    ids=["path", "header"],
)
def test_a_connection_with_too_large_headers_is_closed(before: bytes, endless: bytes) -> None:
    run(expect_close_after(before, endless))


CHUNKED = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("before", [b"", REQUEST], ids=["first", "second"])
@pytest.mark.parametrize(
    "endless",
    [
        CHUNKED + b"1\r\nx\r\n" * 1_000_000,
        CHUNKED + b"1;" + b"x" * 1_000_000,
        CHUNKED + b"0\r\nX: " + b"x" * 1_000_000,
        REQUEST * 100_000,
        b"GET / HTTP/1.1\r\n\r\n" * 100_000,
    ],
    ids=["small chunks", "chunk extension", "trailer", "pipelined", "pipelined without body"],
)
def test_a_connection_with_too_much_beside_bodies_is_closed(before: bytes, endless: bytes) -> None:
    async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if before:
            writer.write(before)
            assert await read_response(reader)
        writer.write(endless)
        with contextlib.suppress(ConnectionError):
            responses = await asyncio.wait_for(reader.read(), 5)
            assert responses.count(b"HTTP/1.1") <= http_protocol.MAX_PIPELINED

    run(exchange)


@pytest.mark.parametrize("before", [b"", REQUEST], ids=["first", "second"])
@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (REQUEST[:-6] + b"\r\nX: x" * 97 + b"\r\n\r\n{}", b"200"),
        (REQUEST[:-6] + b"\r\nX: x" * 99 + b"\r\n\r\n{}", b"400"),
        (CHUNKED + b"0\r\n" + b"X: x\r\n" * 97 + b"\r\n", b"200"),
        (b"POST / HTTP/1.1\r\nContent-Length: " + b"9" * 10_000 + b"\r\n\r\n", b"400"),
        (CHUNKED[:-2] + b"Content-Length: 1\r\n\r\n0\r\n\r\n", b"400"),
        (CHUNKED.replace(b"chunked", b"chunked, identity") + b"0\r\n\r\n", b"400"),
        (b"CONNECT x:1 HTTP/1.1\r\n\r\n", b"400"),
    ],
    ids=[
        "97 headers",
        "101 headers",
        "97 trailers",
        "long Content-Length",
        "length and chunks",
        "chunks inside another coding",
        "CONNECT",
    ],
)
def test_each_request_has_one_response(before: bytes, request_: bytes, status: bytes) -> None:
    async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if before:
            writer.write(before)
            assert await read_response(reader)
        writer.write(request_)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.split()[1] == status
        if status == b"400":
            assert b"connection: close" in head
            assert b"HTTP/1.1" not in await asyncio.wait_for(reader.read(), 5)

    run(exchange)


@pytest.mark.parametrize("to", [b"websocket", b"h2c"])
def test_an_upgrade_gets_a_response_over_http_and_the_connection_is_closed(to: bytes) -> None:
    upgrade = REQUEST[:-6] + b"\r\nConnection: upgrade\r\nUpgrade: " + to + b"\r\n\r\n{}"

    async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(upgrade)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.split()[1] == b"200"
        assert b"connection: close" in head
        assert await reader.read() == b"{}"

    run(exchange)


def test_empty_lines_between_requests_do_not_end_the_keep_alive_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listener, "KEEP_ALIVE_SECONDS", 0.1)

    async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(REQUEST)
        assert await read_response(reader)
        writer.write(b"\r\n")
        assert await is_closed(reader)

    run(exchange)


def test_a_client_that_does_not_read_its_response_is_disconnected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http_protocol, "WRITE_TIMEOUT_SECONDS", 0.1)
    ended = asyncio.Event()

    async def respond_at_length(_scope: Scope, _receive: Receive, send: Send) -> None:
        start = {"type": "http.response.start", "status": 200, "headers": []}
        await send(start)
        for _ in range(1000):
            await send({"type": "http.response.body", "body": b"x" * 100_000, "more_body": True})
        ended.set()

    async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(REQUEST)
        await asyncio.wait_for(ended.wait(), 5)  # uvicorn discards what follows the disconnection

    run(exchange, respond_at_length)


@pytest.mark.parametrize("sent", [REQUEST[:10], REQUEST[:-2], REQUEST[:-1], REQUEST + REQUEST[:10]])
def test_a_connection_with_an_incomplete_request_is_closed_after_the_timeout(
    sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_protocol, "REQUEST_TIMEOUT_SECONDS", 0.05)
    run(expect_close_after(sent))


@pytest.mark.parametrize("sent", [b"", REQUEST])
def test_an_idle_connection_is_closed_after_the_keep_alive_time(
    sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "KEEP_ALIVE_SECONDS", 0.1)
    run(expect_close_after(sent))


@pytest.mark.parametrize("sent", [b"", REQUEST])
def test_a_connection_that_the_client_resets_leaves_no_timer(
    sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    protocols: list[http_protocol.BoundedHttpProtocol] = []

    class RecordedProtocol(http_protocol.BoundedHttpProtocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            protocols.append(self)

    async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(sent)
        assert not sent or await read_response(reader)
        while not protocols:  # noqa: ASYNC110 - uvicorn's own state, as below
            await asyncio.sleep(0.001)
        assert protocols[0].timeout_keep_alive_task is not None
        linger = struct.pack("ii", 1, 0)  # close sends a reset
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.close()
        while protocols[0].connections:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        assert protocols[0].timeout_keep_alive_task is None

    monkeypatch.setattr(listener, "BoundedHttpProtocol", RecordedProtocol)
    run(exchange)


def test_a_slow_request_and_an_idle_connection_are_within_their_limits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http_protocol, "REQUEST_TIMEOUT_SECONDS", 0.2)

    async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.25)
        writer.write(REQUEST[:-1])
        await asyncio.sleep(0.05)
        writer.write(REQUEST[-1:])
        assert await read_response(reader)
        await asyncio.sleep(0.25)
        writer.write(REQUEST)
        assert await read_response(reader)

    run(exchange)
