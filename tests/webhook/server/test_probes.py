"""Probes and metrics, over ASGI."""

import asyncio

import pytest
from prometheus_client import CollectorRegistry, Counter

from tests.support.asgi import Exchange, Response, send
from webhook.inventory import PlansStatus, PvcsStatus
from webhook.server import probes

PLANS = {
    "synced": True,
    "age_seconds": None,
    "count": 7,
    "invalid": 1,
    "message": "x",
    "fetches": 0,
    "restarts": 0,
}
PVCS = {"synced": False, "age_seconds": None, "count": 5, "message": "y", "restarts": 2}


def get(path: str, checks: dict[str, str], method: str = "GET", **headers: str) -> Response:
    registry = CollectorRegistry()
    Counter("calls", "Calls.", registry=registry).inc(3)
    texts = {name: (lambda text=text: text) for name, text in checks.items()}
    app = probes.build(
        texts,
        lambda: PlansStatus(True, float("inf"), 7, 1, "x"),
        lambda: PvcsStatus(False, float("inf"), 5, "y", 2),
        registry,
    )
    exchange = Exchange([b""], method=method, path=path, headers=headers)
    return asyncio.run(send(app, exchange))


def test_a_server_is_ready_when_no_check_returns_a_text() -> None:
    response = get("/readyz", {"plans": "", "certificate": ""})
    assert (response.status, response.headers["content-type"]) == (200, "application/json")
    assert response.json() == {
        "ready": True,
        "checks": {"plans": "ok", "certificate": "ok"},
        "plans": PLANS,
        "pvcs": PVCS,
    }


def test_a_server_is_not_ready_while_a_check_returns_a_text() -> None:
    response = get("/readyz", {"plans": "", "certificate": "there is no certificate yet"})
    assert response.status == 503
    assert response.json() == {
        "ready": False,
        "checks": {"plans": "ok", "certificate": "there is no certificate yet"},
        "plans": PLANS,
        "pvcs": PVCS,
    }


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics"])
@pytest.mark.parametrize("name", ["cookie", "accept", "x"])
def test_headers_of_any_content_are_read_in_linear_time(path: str, name: str) -> None:
    for part in ('\\"', "\\101", ",", ";", "a=b;", "text/plain,", "version=1."):
        value = 'a="' + part * (300_000 // len(part)) + '"'  # if it were quadratic, minutes
        assert get(path, {}, **{"accept": "", name: value}).status == 200


def test_a_server_that_is_not_ready_is_alive() -> None:
    response = get("/livez", {"plans": "missing", "certificate": "missing"})
    assert (response.status, response.body) == (200, b"ok")


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [("", "text/plain"), ("application/openmetrics-text", "application/openmetrics-text")],
)
def test_the_format_of_metrics_is_negotiated(accept: str, content_type: str) -> None:
    response = get("/metrics", {}, accept=accept)
    assert response.headers["content-type"].startswith(content_type)
    assert b"calls_total 3.0\n" in response.body


def test_probes_may_use_head() -> None:
    assert get("/livez", {}, method="HEAD").status == 200


@pytest.mark.parametrize(("path", "method", "code"), [("/", "GET", 404), ("/readyz", "POST", 405)])
def test_any_other_path_or_method_is_an_error(path: str, method: str, code: int) -> None:
    assert get(path, {}, method=method).status == code
