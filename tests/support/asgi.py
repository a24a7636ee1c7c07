"""Requests to an ASGI application without a network."""

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from starlette.types import ASGIApp, Message


class Response(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Exchange:
    """A request to an ASGI application, whose body arrives in chunks, and its response."""

    def __init__(
        self,
        chunks: Iterable[bytes | Message],
        *,
        method: str = "POST",
        path: str = "/mutate",
        query: str = "",
        headers: Mapping[str, str] | None = None,
        pause: float = 0,
        client: str = "10.0.0.1",
    ) -> None:
        self.scope = {
            "client": (client, 50000),
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "scheme": "https",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": [(k.lower().encode(), v.encode()) for k, v in (headers or {}).items()],
            "state": {},
        }
        self._chunks = list(chunks)
        self._pause = pause
        """Seconds before each chunk."""
        self.sent: list[Message] = []
        self.read = 0
        """The number of chunks that the application has read."""

    async def receive(self) -> Message:
        if self.read == len(self._chunks):
            await asyncio.Event().wait()  # the client sends no more
        await asyncio.sleep(self._pause)
        chunk = self._chunks[self.read]
        self.read += 1
        if not isinstance(chunk, bytes):
            return chunk
        return {"type": "http.request", "body": chunk, "more_body": self.read < len(self._chunks)}

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    @property
    def response(self) -> Response:
        start, *bodies = self.sent
        headers = {name.decode(): value.decode() for name, value in start["headers"]}
        return Response(start["status"], headers, b"".join(body["body"] for body in bodies))


async def send(app: ASGIApp, exchange: Exchange) -> Response:
    await app(exchange.scope, exchange.receive, exchange.send)
    return exchange.response


def split(body: bytes, size: int) -> Sequence[bytes]:
    """Return a body in chunks."""
    return [body[at : at + size] for at in range(0, len(body), size)]
