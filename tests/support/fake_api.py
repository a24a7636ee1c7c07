"""A fake API server over HTTP on the loopback interface: ObjectTracker and ReactionChain, served.

It serves every kind of object, and every method but DELETE.
"""

import json
import socket
import ssl
import sys
import threading
from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec

from tests.support import builders
from tests.support.object_tracker import Event, Key, ObjectTracker, Selection
from tests.support.reactions import ReactionChain, Request, encode_status, parse
from webhook.kube.api.errors import ApiError


class FakeApi(ObjectTracker, ReactionChain):
    def __init__(self) -> None:
        ObjectTracker.__init__(self)
        ReactionChain.__init__(self)
        self.requests: list[Request] = []
        self.unserved: set[str] = set()
        """Resources whose CustomResourceDefinition is not installed."""
        self.token = ""
        """The one bearer token that is valid; where it is empty, none is needed."""
        self.date = ""
        """The Date header of all responses, where it is not the clock's."""
        self.watching = 0
        """The number of open watches."""
        self.server_version = {"major": "1", "minor": "36"}
        self.errors: list[BaseException | None] = []
        """Errors of the fake itself, which fail the test."""
        self.server = ""
        """The server as messages of a client name it, once it has a kubeconfig."""
        self.before_write: list[Callable[[], None]] = []
        """Each write calls, and removes, the first one before it is applied."""
        self._compacted = self._watch_generation = self._last = 0
        self._ended = False
        self._http = _Http(self)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"

    def filter_requests(self, *verbs: str) -> list[Request]:
        return [request for request in self.requests if request.verb in verbs]

    @property
    def request_lines(self) -> list[str]:
        return [request.line for request in self.requests]

    def compact(self) -> None:
        """Forget all events, as etcd does after five minutes."""
        with self.changed:
            self._compacted = self.version

    def end_watches(self) -> None:
        """End all watches, after the events that have happened."""
        with self.changed:
            self._watch_generation += 1
            self._last = self.version
            self.changed.notify_all()

    def write_kubeconfig(self, folder: Path, **options: Any) -> Path:
        """Write a kubeconfig with the options of `builders.kubeconfig`, and return its path."""
        path = folder / "kubeconfig"
        path.write_text(json.dumps(builders.kubeconfig(self.url, **options)), encoding="utf-8")
        self.server = f"the API server at {self.url} (context 'fake' of '{path}')"
        return path

    def use_tls(self, pem: Path) -> None:
        """Speak TLS from now on, with the certificate and key of a file."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        self.url = self.url.replace("http:", "https:")

    def serve(self) -> None:
        """Accept connections until `end` is called from another thread."""
        with self._http:
            while not self._ended:
                self._http.handle_request()

    def end(self) -> None:
        self._ended = True
        self.reactions.clear()
        self.release()
        self.end_watches()
        with suppress(OSError):  # the thread has ended without
            self._http.socket.shutdown(socket.SHUT_RDWR)  # ends its wait for a connection

    def check(self, request: Request) -> None:
        """Refuse a request whatever objects there are.

        Raises:
            ApiError: the token is not valid, or the position of a watch has expired.

        """
        if self.token and request.headers.get("authorization") != f"Bearer {self.token}":
            raise ApiError("Unauthorized", 401, "Unauthorized")
        if request.verb == "watch" and 0 < _position(request) < self._compacted:
            raise ApiError("too old resource version", 410, "Expired")

    def respond(self, request: Request) -> bytes:
        """Carry out any request but a watch, and return the body of the response.

        Raises:
            ApiError: it is refused.

        """
        if request.verb not in ("get", "list") and self.before_write:
            self.before_write.pop(0)()
        dry_run = "dryRun" in request.query
        key = Key(request.resource, request.namespace, request.name)
        match request.verb:
            case "get":
                result = self.get(*key)
            case "list":
                result = self._list_page(request)
            case "create":
                result = self.create(request.resource, request.json(), dry_run=dry_run)
            case "update":
                result = self.update(request.resource, request.json(), dry_run=dry_run)
            case "patch":
                result = self.patch(key, request.json(), dry_run=dry_run)
            case _:
                raise ApiError(f"the fake API server does not know '{request.verb}'", 405)
        return msgspec.json.encode(result)

    def watch(self, request: Request) -> Iterator[bytes]:
        """Yield the lines of a watch until the watches are ended.

        Without a position they begin with the objects that exist.
        """
        selection, after = _selection(request), _position(request)
        with self.changed:
            generation = self._watch_generation
            existing = [] if after else self.select(selection)
            after = after or self.version
            self.watching += 1
            self.changed.notify_all()
        try:
            for item in existing:
                yield Event(after, selection.resource, "ADDED", item).encode(selection)
            while new := self._wait_for_events(after, generation):
                after = new[-1].version
                yield from filter(None, (event.encode(selection) for event in new))
        finally:
            with self.changed:
                self.watching -= 1
                self.changed.notify_all()

    def _wait_for_events(self, after: int, generation: int) -> list[Event]:
        """Return the events after a position; none where the watches have been ended."""
        with self.changed:
            while True:
                ended = self._watch_generation != generation
                start, end = (
                    bisect_right(self.events, version, key=lambda event: event.version)
                    for version in (after, self._last if ended else self.version)
                )
                if ended or start < end:
                    return self.events[start:end]
                self.changed.wait()

    def _list_page(self, request: Request) -> Any:
        with self.changed:
            items, version = self.select(_selection(request)), self.version
        start = int(request.query.get("continue", 0))
        end = start + int(request.query.get("limit", len(items)))
        metadata = {"resourceVersion": str(version)}
        if end < len(items):
            metadata["continue"] = str(end)
        return {"metadata": metadata, "items": items[start:end] or None}


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, api: FakeApi) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.api = api

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Record what is not a connection that a test closed."""
        error = sys.exception()
        if not isinstance(error, OSError):
            self.api.errors.append(error)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Http

    def do_GET(self) -> None:
        api = self.server.api
        if self.path == "/version":  # not an object, and open to everyone
            self._send(200, json.dumps(api.server_version).encode())
            return
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        request = parse(self.command, self.path, dict(self.headers), body)
        api.requests.append(request)
        if reaction := api.react(request):
            if reaction.status:
                self._send(reaction.status, reaction.body(request), reaction.headers)
            else:
                self.close_connection = True
            return
        if request.resource in api.unserved:
            self._send(404, b"404 page not found\n")
            return
        try:
            api.check(request)
            if request.verb == "watch":
                self._stream(api.watch(request))
            else:
                self._send(201 if request.verb == "create" else 200, api.respond(request))
        except ApiError as error:
            status = encode_status(code=error.status, reason=error.reason, message=str(error))
            self._send(error.status, status)

    do_POST = do_PUT = do_PATCH = do_GET  # noqa: N815 - the names that http.server calls

    def log_message(self, *args: object) -> None:
        """Log nothing."""

    def date_time_string(self, timestamp: float | None = None) -> str:
        return self.server.api.date or super().date_time_string(timestamp)

    def _stream(self, lines: Iterator[bytes]) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for line in lines:
            self.wfile.write(b"%x\r\n%b\n\r\n" % (len(line) + 1, line))
        self.wfile.write(b"0\r\n\r\n")

    def _send(self, status: int, body: bytes, headers: tuple[tuple[str, str], ...] = ()) -> None:
        self.send_response(status)
        for name, value in (*headers, ("Content-Length", str(len(body)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def run_fake_api() -> Iterator[FakeApi]:
    """Run a fake API server in a thread."""
    api = FakeApi()
    thread = threading.Thread(target=api.serve, daemon=True)
    thread.start()
    try:
        yield api
    finally:
        api.end()
        thread.join()
    assert api.errors == []


def _selection(request: Request) -> Selection:
    query = request.query
    return Selection(
        request.resource,
        request.namespace,
        query.get("labelSelector", ""),
        query.get("fieldSelector", ""),
    )


def _position(request: Request) -> int:
    return int(request.query.get("resourceVersion") or 0)
