"""Load generator with little overhead of its own: raw HTTP/1.1 over TLS.

It keeps connections open as the API server does, and sends requests that were encoded before.
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
    """A server, with the TLS context of its clients."""

    port: int
    context: ssl.SSLContext
    pid: int

    def cpu(self) -> float:
        """Return the CPU seconds that it has used so far."""
        return int(Path(f"/proc/{self.pid}/schedstat").read_text().split()[0]) / 1e9


class Rate(NamedTuple):
    """The result of a server in one round."""

    reviews: float
    """Reviews per second."""
    cpu: float
    """CPU seconds of the server per review."""


def request(body: bytes) -> bytes:
    """Return the HTTP request that the API server sends for a review."""
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
    """Sends one request at a time; `on_response` is called when its response is complete."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self.on_response: Callable[[Connection], None] = lambda _self: None
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
            raise RuntimeError(f"unexpected response: {self._buffer[:200]!r}")
        if len(self._buffer) >= end + 4 + int(length[1]):
            self._buffer = b""
            self.on_response(self)

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
    """Return the responses per second, with one request in flight on every connection."""
    done = asyncio.get_running_loop().create_future()
    count, in_flight = 0, len(connections)
    began = perf_counter()
    end = began + seconds

    def send_next(connection: Connection) -> None:
        nonlocal count, in_flight
        count += 1
        if perf_counter() < end:
            connection.transport.write(requests[count % len(requests)])
            return
        in_flight -= 1
        if not in_flight:
            done.set_result(None)

    for number, connection in enumerate(connections):
        connection.on_response = send_next
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
    """Return the seconds from each request to its response, at `rate` requests per second.

    The time in which a request waits for a free connection is included.
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

    def record(connection: Connection) -> None:
        found.append(perf_counter() - due_at[connection])
        free.append(connection)
        start()
        if len(found) == total:
            done.set_result(None)

    for connection in connections:
        connection.on_response = record
    began = perf_counter() + delay
    for number in range(total):
        await asyncio.sleep(began + number / rate - perf_counter())
        # A timer may be a millisecond late, which is longer than a review: take the present time.
        waiting.append((perf_counter(), number))
        start()
    await done
    return found
