"""A small API server on loopback: lists in pages, watches with bookmarks, and fails as told."""

import json
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

Json = dict[str, Any]

_PATH = re.compile(
    r"/(?:api|apis/[^/]+)/[^/]+(?:/namespaces/([^/]+)(?=/))?"
    r"/([^/]+)(?:/([^/]+))?(?:/[^/]+)?"
)
LIST, WATCH, GET, WRITE = "list", "watch", "get", "write"


class Asked(NamedTuple):
    kind: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes = b""


class Fault(NamedTuple):
    """`status` 0 closes the connection without an answer, -1 answers when `release` is called."""

    on: str
    """`list`, or `list nodes` for one resource."""
    status: int
    body: bytes = b"{}"
    headers: tuple[tuple[str, str], ...] = ()


class FakeApi(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.objects: dict[tuple[str, str, str], Json] = {}
        self.served = {"plans", "nodes"}
        self.version = 100
        self.compacted = 0
        self.token = ""
        self.asked: list[Asked] = []
        self.faults: deque[Fault] = deque()
        self.changed = threading.Condition()
        self.watching = 0
        self._log: list[tuple[str, int, bytes]] = []
        self._epoch = self._last = 0
        self._released = threading.Event()
        self._ended = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients hang up, and tests make them."""

    def put(self, resource: str, item: Json) -> None:
        """Create or update an object, and tell the watches."""
        with self.changed:
            key = (resource, item["metadata"].get("namespace", ""), item["metadata"]["name"])
            kind = "MODIFIED" if key in self.objects else "ADDED"
            self.objects[key] = self._tell(resource, kind, item)

    def delete(self, resource: str, namespace: str, name: str) -> None:
        with self.changed:
            self._tell(resource, "DELETED", self.objects.pop((resource, namespace, name)))

    def bookmark(self, resource: str) -> None:
        with self.changed:
            self._tell(resource, "BOOKMARK", {"metadata": {}})

    def send(self, resource: str, line: bytes) -> None:
        """Send a line as it is to all watches."""
        with self.changed:
            self.version += 1
            self._log.append((resource, self.version, line))
            self.changed.notify_all()

    def compact(self) -> None:
        """Forget all events, as etcd does after five minutes."""
        with self.changed:
            self.compacted = self.version

    def end_watches(self) -> None:
        """End all watches; what has happened up to now still reaches them."""
        with self.changed:
            self._epoch += 1
            self._last = self.version
            self.changed.notify_all()

    def fail(self, on: str, status: int, times: int = 1, **more: Any) -> None:
        self.faults.extend([Fault(on, status, **more)] * times)

    def calls(self, kind: str) -> list[Asked]:
        return [asked for asked in self.asked if asked.kind == kind]

    def end(self) -> None:
        self._ended = True
        self.release()
        self.end_watches()
        self.shutdown()
        self.server_close()

    def kubeconfig(self, folder: Path, **user: str) -> Path:
        """Write a kubeconfig of this server."""
        path = folder / "kubeconfig"
        context = {"cluster": "c", "user": "u", "namespace": "here"}
        config = {
            "clusters": [{"name": "c", "cluster": {"server": self.url}}],
            "users": [{"name": "u", "user": user}],
            "contexts": [{"name": "fake", "context": context}],
            "current-context": "fake",
        }
        path.write_text(json.dumps(config))
        return path

    def _tell(self, resource: str, kind: str, item: Json) -> Json:
        self.version += 1
        item = item | {"metadata": item["metadata"] | {"resourceVersion": str(self.version)}}
        line = json.dumps({"type": kind, "object": item}).encode()
        self._log.append((resource, self.version, line))
        self.changed.notify_all()
        return item

    def events(self, resource: str, after: int) -> Iterator[bytes]:
        """Yield the lines of a watch, until the watches are ended."""
        with self.changed:
            epoch = self._epoch
            self.watching += 1
            self.changed.notify_all()
        try:
            while True:
                with self.changed:
                    last = self.version if self._epoch == epoch else self._last
                    new = [event for event in self._log if after < event[1] <= last]
                    if not new and self._epoch != epoch:
                        return
                    if not new:
                        self.changed.wait()
                for where, version, line in new:
                    after = version
                    if where == resource:
                        yield line
        finally:
            with self.changed:
                self.watching -= 1
                self.changed.notify_all()

    def release(self) -> None:
        """Answer all that waits, and from now on whatever would wait."""
        self._released.set()

    def hold(self) -> bool:
        """Wait to be released; return whether to answer then."""
        self._released.wait()
        return not self._ended


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: FakeApi

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_PUT = do_PATCH = do_GET  # noqa: N815 - the names that http.server calls

    def log_message(self, *args: object) -> None:
        pass

    def _serve(self) -> None:
        url = urlsplit(self.path)
        query = dict(parse_qsl(url.query))
        asked = _PATH.fullmatch(url.path)
        assert asked, url.path
        kind = WATCH if "watch" in query else GET if asked[3] else LIST
        kind = kind if self.command == "GET" else WRITE
        api = self.server
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        with api.changed:
            api.asked.append(Asked(kind, url.path, query, headers, body))
            on = (kind, f"{kind} {asked[2]}")
            fault = next((fault for fault in api.faults if fault.on in on), None)
            if fault:
                api.faults.remove(fault)
        if fault and not (fault.status < 0 and api.hold()):
            self._fail(fault)
        elif api.token and self.headers.get("Authorization") != f"Bearer {api.token}":
            self._status(401, "Unauthorized", "Unauthorized")
        elif asked[2] not in api.served:
            self._answer(404, b"404 page not found\n")
        elif kind == LIST:
            self._list(asked[2], query)
        elif kind == WATCH:
            self._watch(asked[2], query)
        elif kind == WRITE:
            self._answer(200, body)
        elif item := api.objects.get((asked[2], asked[1] or "", asked[3])):
            self._answer(200, json.dumps(item).encode())
        else:
            self._status(404, "NotFound", f'{asked[2]} "{asked[3]}" not found')

    def _list(self, resource: str, query: dict[str, str]) -> None:
        with self.server.changed:
            items = sorted(kv for kv in self.server.objects.items() if kv[0][0] == resource)
            version = self.server.version
        start = int(query.get("continue", 0))
        stop = start + int(query.get("limit", len(items)))
        more = {"continue": str(stop)} if stop < len(items) else {}
        page = {
            "metadata": {"resourceVersion": str(version)} | more,
            "items": [item for _, item in items[start:stop]],
        }
        self._answer(200, json.dumps(page).encode())

    def _watch(self, resource: str, query: dict[str, str]) -> None:
        after = int(query["resourceVersion"])
        if after < self.server.compacted:
            self._status(410, "Expired", "too old resource version")
            return
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for line in self.server.events(resource, after):
            self._chunk(line + b"\n")
        self._chunk(b"")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))

    def _fail(self, fault: Fault) -> None:
        if fault.status > 0:
            self._answer(fault.status, fault.body, fault.headers)
            return
        self.close_connection = True

    def _status(self, code: int, reason: str, message: str) -> None:
        status = {"kind": "Status", "code": code, "reason": reason, "message": message}
        self._answer(code, json.dumps(status).encode())

    def _answer(self, code: int, body: bytes, headers: tuple[tuple[str, str], ...] = ()) -> None:
        self.send_response(code)
        for name, value in (*headers, ("Content-Length", str(len(body)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def running() -> Iterator[FakeApi]:
    api = FakeApi()
    thread = threading.Thread(
        target=api.serve_forever, kwargs={"poll_interval": 0.001}, daemon=True
    )
    thread.start()
    try:
        yield api
    finally:
        api.end()
        thread.join()


def eventually(true: Callable[[], object], seconds: float = 30) -> None:
    """Wait until something is so; a failure says which condition never came."""
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, "it never happened"
        time.sleep(0.002)
