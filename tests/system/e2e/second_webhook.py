"""Another mutating webhook, served by the test and called by the API server."""

import base64
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from certs.ca import pki
from tests.system.controlplane.api import Api, Json, of
from tests.system.controlplane.cluster import DAY
from tests.system.controlplane.process import until
from tests.system.e2e.row_cluster import pod

NAME = "zz-second"
"""The API server calls webhooks in the order of their configurations' names."""


@contextmanager
def second_webhook(api: Api, folder: Path, namespace: str, patch: list[Json]) -> Iterator[None]:
    """Patch every pod in a namespace, after all other webhooks; yield when it is called."""
    called = threading.Event()
    context, bundle = _certificate(folder)
    response = {
        "patchType": "JSONPatch",
        "patch": base64.b64encode(json.dumps(patch).encode()).decode(),
    }

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            called.set()
            review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            review["response"] = {"uid": review.pop("request")["uid"], "allowed": True, **response}
            body = json.dumps(review).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Suppress the access log."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        api.create(_configuration(server.server_address[1], namespace, bundle))
        probe = pod(namespace, {})

        def is_called() -> bool:
            api.send("POST", of(probe), probe, dryRun="All")
            return called.is_set()

        try:
            until("the API server to call the second webhook", is_called)
            yield
        finally:
            api.delete("MutatingWebhookConfiguration", NAME)
            server.shutdown()


def _certificate(folder: Path) -> tuple[ssl.SSLContext, bytes]:
    now = datetime.now(UTC)
    ca = pki.make_ca(now, DAY, backdate=DAY)
    leaf, key = pki.sign_leaf(ca, ["127.0.0.1"], now, DAY, backdate=DAY)
    (folder / "both.pem").write_bytes(leaf.pem + key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "both.pem")
    return context, ca.certificate.pem


def _configuration(port: int, namespace: str, bundle: bytes) -> Json:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": NAME},
        "webhooks": [
            {
                "name": "second.example.com",
                "admissionReviewVersions": ["v1"],
                "clientConfig": {
                    "url": f"https://127.0.0.1:{port}/",
                    "caBundle": base64.b64encode(bundle).decode(),
                },
                "rules": [
                    {
                        "apiGroups": [""],
                        "apiVersions": ["v1"],
                        "operations": ["CREATE"],
                        "resources": ["pods"],
                    }
                ],
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
                "failurePolicy": "Fail",
                "sideEffects": "None",
            }
        ],
    }
