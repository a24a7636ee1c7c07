"""A webhook server of a test, which the API server calls by URL."""

import base64
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

from certs.ca import pki
from tests.system.controlplane.api import Json
from tests.system.controlplane.cluster import DAY

Review = Callable[[str, Json], list[Json]]
"""Takes the path of the URL and the AdmissionRequest, and returns a JSON patch."""


class Stub(NamedTuple):
    """The address of a server, and its CA."""

    port: int
    bundle: bytes

    def client_config(self, path: str = "") -> Json:
        """Return the `clientConfig` of a webhook with this path."""
        return {
            "url": f"https://127.0.0.1:{self.port}/{path}",
            "caBundle": base64.b64encode(self.bundle).decode(),
        }


@contextmanager
def serving(folder: Path, review: Review) -> Iterator[Stub]:
    """Allow every request, with the patch of `review`, which several threads call."""
    context, bundle = _certificate(folder)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            request = body.pop("request")
            patch = json.dumps(review(self.path.partition("?")[0].strip("/"), request)).encode()
            body["response"] = {
                "uid": request["uid"],
                "allowed": True,
                "patchType": "JSONPatch",
                "patch": base64.b64encode(patch).decode(),
            }
            answer = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Suppress the access log."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield Stub(server.server_address[1], bundle)
        finally:
            server.shutdown()


def _certificate(folder: Path) -> tuple[ssl.SSLContext, bytes]:
    now = datetime.now(UTC)
    ca = pki.make_ca(now, DAY, backdate=DAY)
    leaf, key = pki.sign_leaf(ca, ["127.0.0.1"], now, DAY, backdate=DAY)
    (folder / "both.pem").write_bytes(leaf.pem + key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "both.pem")
    return context, ca.certificate.pem
