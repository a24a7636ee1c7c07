import asyncio

import pytest
from prometheus_client import CollectorRegistry, Counter

from tests.support.asgi import Exchange, Response, send
from webhook.inventory import PlansStatus
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


def get(path: str, checks: dict[str, str], accept: str = "", method: str = "GET") -> Response:
    registry = CollectorRegistry()
    Counter("calls", "Calls.", registry=registry).inc(3)
    texts = {name: (lambda text=text: text) for name, text in checks.items()}
    app = probes.build(texts, lambda: PlansStatus(True, float("inf"), 7, 1, "x"), registry)
    exchange = Exchange([b""], method=method, path=path, headers={"accept": accept})
    return asyncio.run(send(app, exchange))


def test_it_is_ready_when_no_check_returns_a_text() -> None:
    answer = get("/readyz", {"plans": "", "certificate": ""})
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json() == {
        "ready": True,
        "checks": {"plans": "ok", "certificate": "ok"},
        "plans": PLANS,
    }


def test_it_is_not_ready_while_a_check_returns_what_is_missing() -> None:
    answer = get("/readyz", {"plans": "", "certificate": "there is no certificate yet"})
    assert answer.status == 503
    assert answer.json() == {
        "ready": False,
        "checks": {"plans": "ok", "certificate": "there is no certificate yet"},
        "plans": PLANS,
    }


def test_it_is_alive_whatever_is_missing() -> None:
    answer = get("/livez", {"plans": "gone", "certificate": "gone"})
    assert (answer.status, answer.body) == (200, b"ok")


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [("", "text/plain"), ("application/openmetrics-text", "application/openmetrics-text")],
)
def test_the_format_of_metrics_is_negotiated(accept: str, content_type: str) -> None:
    answer = get("/metrics", {}, accept)
    assert answer.headers["content-type"].startswith(content_type)
    assert b"calls_total 3.0\n" in answer.body


def test_probes_may_use_head() -> None:
    assert get("/livez", {}, method="HEAD").status == 200


@pytest.mark.parametrize(("path", "method", "code"), [("/", "GET", 404), ("/readyz", "POST", 405)])
def test_every_other_path_and_method_is_an_error(path: str, method: str, code: int) -> None:
    assert get(path, {}, method=method).status == code
