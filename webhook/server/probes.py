"""`/livez`, `/readyz` and `/metrics`, over plain HTTP on a port of their own.

They are routes without FastAPI's arguments. To resolve those, FastAPI parses query string and
cookies, for which Python's `http.cookies` can take seconds (CVE-2024-7592).
"""

from collections.abc import Callable, Mapping

import msgspec
from fastapi import FastAPI, Request, Response
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException

from webhook.inventory import PlansStatus, PvcsStatus
from webhook.server.responses import respond_to_http_error

Check = Callable[[], str]
"""Returns what is missing; empty when nothing is."""


class PlansReadiness(BaseModel):
    """`PlansStatus`, encoded for people; an infinite age is null."""

    model_config = ConfigDict(ser_json_inf_nan="null")

    synced: bool
    age_seconds: float
    count: int
    invalid: int
    message: str
    fetches: int
    restarts: int


class PvcsReadiness(BaseModel):
    """`PvcsStatus`, encoded for people; an infinite age is null."""

    model_config = ConfigDict(ser_json_inf_nan="null")

    synced: bool
    age_seconds: float
    count: int
    message: str
    restarts: int


class Readiness(BaseModel):
    """The body of `/readyz`."""

    ready: bool
    checks: dict[str, str]
    """`ok`, or what is missing, by the name of a check."""
    plans: PlansReadiness
    pvcs: PvcsReadiness


def build(
    checks: Mapping[str, Check],
    plans_status: Callable[[], PlansStatus],
    pvcs_status: Callable[[], PvcsStatus],
    registry: CollectorRegistry,
) -> FastAPI:
    """Return the application. It is ready when no check returns a text.

    It is alive as long as it responds: a restart repairs neither TLS nor the API server.
    """
    app = FastAPI(
        openapi_url=None,
        redirect_slashes=False,
        exception_handlers={HTTPException: respond_to_http_error},
    )

    async def livez(_request: Request) -> Response:
        return Response(b"ok", media_type="text/plain")

    async def readyz(_request: Request) -> Response:
        missing = {name: check() for name, check in checks.items()}
        ready = not any(missing.values())
        body = Readiness(
            ready=ready,
            checks={name: text or "ok" for name, text in missing.items()},
            plans=PlansReadiness(**msgspec.structs.asdict(plans_status())),
            pvcs=PvcsReadiness(**msgspec.structs.asdict(pvcs_status())),
        )
        status_code = 200 if ready else 503
        return Response(body.model_dump_json(), status_code, media_type="application/json")

    async def metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), headers={"content-type": content_type})

    for endpoint in (livez, readyz, metrics):
        app.add_route(f"/{endpoint.__name__}", endpoint, methods=["GET", "HEAD"])
    return app
