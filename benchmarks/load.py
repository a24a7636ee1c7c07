"""A load generator: raw HTTP/1.1 over TLS, as light as Python can, so that the server is measured.

It keeps connections open as the API server does, and sends bytes that were made beforehand.
"""

import asyncio
import re
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import NamedTuple, cast

_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)


class Target(NamedTuple):
    """A server, and what a client of it needs."""

    port: int
    context: ssl.SSLContext
    pid: int

    def cpu(self) -> float:
        """Return the seconds of CPU that it has used so far."""
        return int(Path(f"/proc/{self.pid}/schedstat").read_text().split()[0]) / 1e9


class Rate(NamedTuple):
    """How a server did in one round."""

    reviews: float
    """A second."""
    cpu: float
    """Seconds of its CPU for each."""


def request(body: bytes) -> bytes:
    """Make what the API server sends for a review."""
    head = (
        "POST /mutate?timeout=10s HTTP/1.1\r\n"
        "Host: convertor-webhook.convertor.svc:443\r\n"
        "User-Agent: kube-apiserver-admission\r\n"
        f"Content-Length: {len(body)}\r\n"
        "Accept: application/json, */*\r\n"
        "Content-Type: application/json\r\n"
        "Accept-Encoding: gzip\r\n\r\n"
    )
    return head.encode() + body


class Connection(asyncio.Protocol):
    """One request at a time; `answered` is called when its answer is complete."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self.answered: Callable[[Connection], None] = lambda _self: None
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        length = _LENGTH.search(self._buffer, 0, end)
        if length is None or not self._buffer.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"unexpected answer: {self._buffer[:200]!r}")
        if len(self._buffer) >= end + 4 + int(length[1]):
            self._buffer = b""
            self.answered(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None:
            raise RuntimeError("the server closed a connection") from exc


async def connect(target: Target, count: int) -> list[Connection]:
    loop = asyncio.get_running_loop()
    made = [
        await loop.create_connection(Connection, "127.0.0.1", target.port, ssl=target.context)
        for _ in range(count)
    ]
    return [connection for _transport, connection in made]


async def throughput(
    connections: Sequence[Connection], requests: Sequence[bytes], seconds: float
) -> float:
    """Answers a second, with one request always under way on every connection."""
    done = asyncio.get_running_loop().create_future()
    count, under_way = 0, len(connections)
    began = perf_counter()
    end = began + seconds

    def answered(connection: Connection) -> None:
        nonlocal count, under_way
        count += 1
        if perf_counter() < end:
            connection.transport.write(requests[count % len(requests)])
            return
        under_way -= 1
        if not under_way:
            done.set_result(None)

    for number, connection in enumerate(connections):
        connection.answered = answered
        connection.transport.write(requests[number % len(requests)])
    await done
    return count / (perf_counter() - began)


async def latencies(
    connections: Sequence[Connection],
    requests: Sequence[bytes],
    rate: float,
    seconds: float,
    delay: float = 0,
) -> list[float]:
    """Seconds from each request to its answer, at `rate` requests a second.

    A request that waits because all connections are busy has waited: nothing is left out.
    """
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    free = list(connections)
    waiting: list[tuple[float, int]] = []
    due_at: dict[Connection, float] = {}
    found: list[float] = []
    total = int(rate * seconds)

    def start() -> None:
        while waiting and free:
            due, number = waiting.pop(0)
            connection = free.pop(0)
            due_at[connection] = due
            connection.transport.write(requests[number % len(requests)])

    def answered(connection: Connection) -> None:
        found.append(perf_counter() - due_at[connection])
        free.append(connection)
        start()
        if len(found) == total:
            done.set_result(None)

    for connection in connections:
        connection.answered = answered
    began = perf_counter() + delay
    for number in range(total):
        await asyncio.sleep(began + number / rate - perf_counter())
        # Timers are exact to a millisecond, which is more than a review takes.
        waiting.append((perf_counter(), number))
        start()
    await done
    return found
