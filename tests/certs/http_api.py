"""The played API server of `tests.certs.fake`, over HTTP on loopback."""

import json
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from certs.bundle.interface import CONFLICT, ApiError, Target
from tests.certs.fake import ApiServer, Time
from webhook.kube.objects import Json

SECRETS = "/api/v1/namespaces/migration/secrets"
ADMISSION = "/apis/admissionregistration.k8s.io/v1"
KINDS = {
    f"{ADMISSION}/mutatingwebhookconfigurations": "MutatingWebhookConfiguration",
    f"{ADMISSION}/validatingwebhookconfigurations": "ValidatingWebhookConfiguration",
}


@dataclass
class Asked:
    """What was asked, to be asserted."""

    method: str
    path: str
    content_type: str = ""


class HttpApi(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.stored = ApiServer(Time())
        self.asked: list[Asked] = []
        self.forbidden = ""
        """A method that is answered with 403."""
        self.date = ""
        self.events: queue.Queue[bytes] = queue.Queue()
        """Lines for whoever watches next; an empty one ends a watch."""

    def kubeconfig(self, folder: Path) -> Path:
        path = folder / "kubeconfig"
        server = f"http://127.0.0.1:{self.server_address[1]}"
        config = {
            "clusters": [{"name": "c", "cluster": {"server": server}}],
            "users": [{"name": "u", "user": {}}],
            "contexts": [{"name": "fake", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "fake",
        }
        path.write_text(json.dumps(config))
        return path


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: HttpApi

    def do_GET(self) -> None:
        self._serve()

    do_PUT = do_PATCH = do_GET  # noqa: N815 - the names that http.server calls

    def log_message(self, *args: object) -> None:
        pass

    def date_time_string(self, timestamp: float | None = None) -> str:
        return self.server.date or super().date_time_string(timestamp)

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        content_type = self.headers.get("Content-Type", "") if body else ""
        self.server.asked.append(Asked(self.command, self.path, content_type))
        if self.server.forbidden == self.command:
            collection = self.path.split("?", maxsplit=1)[0].rsplit("/", 2)[1]
            self._status(403, f'User "sa" cannot do that to {collection}')
        elif "watch=true" in self.path:
            self._watch()
        else:
            try:
                self._object(json.loads(body) if body else None)
            except ApiError as error:
                self._status(error.status, str(error))

    def _object(self, body: Any) -> None:
        stored = self.server.stored
        collection, name = self.path.split("?", maxsplit=1)[0].rsplit("/", 1)
        found: Json | None
        if collection == SECRETS:
            if self.command == "PUT":
                stored.replace_secret(body)
            found = stored.secret if name == "ca" else None
        else:
            target = Target(KINDS[collection], name)  # type: ignore[arg-type] # out of a table
            if self.command == "PATCH":
                stored.patch(target, body)
            found = stored.configurations.get(target)
        if found is None:
            self._status(404, f'"{name}" not found')
        else:
            self._answer(200, found)

    def _watch(self) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while line := self.server.events.get():
            self.wfile.write(b"%x\r\n%b\r\n" % (len(line), line))
        self.wfile.write(b"0\r\n\r\n")

    def _status(self, code: int, message: str) -> None:
        reason = "Conflict" if code == CONFLICT else ""
        self._answer(code, {"kind": "Status", "message": message, "reason": reason})

    def _answer(self, code: int, body: Json) -> None:
        content = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def running() -> Iterator[HttpApi]:
    with HttpApi() as api:
        thread = threading.Thread(target=api.serve_forever, kwargs={"poll_interval": 0.001})
        thread.start()
        try:
            yield api
        finally:
            for _ in range(9):
                api.events.put(b"")
            api.shutdown()
            thread.join()
