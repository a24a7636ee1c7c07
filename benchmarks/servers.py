"""Applications that the webhook is compared with.

`python -m benchmarks.servers plain|bare CERT KEY` serves one of them with the server class, the
event loop and the TLS of the webhook; only the application differs.
"""

import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvloop
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from certs.serving.tls import SwappableContext
from webhook.server import listener

_BARE_RESPONSE = b'{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}'


def plain() -> ASGIApp:
    """Return the plainest FastAPI webhook: it decodes the review and allows it."""
    app = FastAPI()

    @app.post("/mutate")
    async def mutate(review: dict[str, Any]) -> dict[str, Any]:
        return {
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "response": {"uid": review["request"]["uid"], "allowed": True},
        }

    return app


class Bare:
    """A bare ASGI application: reads the body, decodes nothing, has one constant response."""

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body"):
            pass
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(_BARE_RESPONSE)),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": _BARE_RESPONSE})


APPLICATIONS: dict[str, Callable[[], ASGIApp]] = {"plain": plain, "bare": Bare}


def main(kind: str, cert: str, key: str) -> None:
    tls = SwappableContext()
    tls.swap(Path(cert).read_bytes(), Path(key).read_bytes())
    bound = socket.create_server(("127.0.0.1", 0), backlog=2048)
    print(bound.getsockname()[1], flush=True)
    uvloop.run(listener.build(APPLICATIONS[kind](), kind, tls.context).serve(sockets=[bound]))


if __name__ == "__main__":
    main(*sys.argv[1:])
