"""`/livez`, `/readyz` and `/metrics`, over plain HTTP on a port of their own."""

from collections.abc import Callable, Mapping

import msgspec
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

Check = Callable[[], str]
"""Says what is missing; empty when nothing is."""

Detail = Callable[[], object]
"""Says how things are, as JSON."""


def build(
    checks: Mapping[str, Check], details: Mapping[str, Detail], registry: CollectorRegistry
) -> Starlette:
    """Make the application; it is ready when no check has anything to say.

    `details` are shown beside the checks and decide nothing. Alive it is whenever it answers:
    neither TLS nor the API server is a reason to be restarted, because that cures neither.
    """

    async def livez(_request: Request) -> Response:
        return Response(b"ok", media_type="text/plain")

    async def readyz(_request: Request) -> Response:
        missing = {name: check() for name, check in checks.items()}
        ready = not any(missing.values())
        body = {
            "ready": ready,
            "checks": {name: said or "ok" for name, said in missing.items()},
            **{name: tell() for name, tell in details.items()},
        }
        return Response(
            msgspec.json.encode(body), 200 if ready else 503, media_type="application/json"
        )

    async def metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), headers={"content-type": content_type})

    return Starlette(
        routes=[Route("/livez", livez), Route("/readyz", readyz), Route("/metrics", metrics)]
    )
