import asyncio

import pytest
from prometheus_client import CollectorRegistry, Counter

from tests.support.fakes import Answer, Exchange, send
from webhook.server import probes


def get(path: str, checks: dict[str, str], accept: str = "", method: str = "GET") -> Answer:
    registry = CollectorRegistry()
    Counter("calls", "Calls.", registry=registry).inc(3)
    said = {name: (lambda text=text: text) for name, text in checks.items()}
    app = probes.build(said, {"plans": lambda: {"count": 7}}, registry)
    exchange = Exchange([b""], method=method, path=path, headers={"accept": accept})
    return asyncio.run(send(app, exchange))


def test_it_is_ready_when_no_check_says_anything() -> None:
    answer = get("/readyz", {"plans": "", "certificate": ""})
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json() == {
        "ready": True,
        "checks": {"plans": "ok", "certificate": "ok"},
        "plans": {"count": 7},
    }


def test_it_is_not_ready_while_a_check_does_and_says_what_is_missing() -> None:
    answer = get("/readyz", {"plans": "", "certificate": "there is no certificate yet"})
    assert answer.status == 503
    assert answer.json() == {
        "ready": False,
        "checks": {"plans": "ok", "certificate": "there is no certificate yet"},
        "plans": {"count": 7},
    }


def test_it_is_alive_whatever_is_missing() -> None:
    answer = get("/livez", {"plans": "gone", "certificate": "gone"})
    assert (answer.status, answer.body) == (200, b"ok")


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [("", "text/plain"), ("application/openmetrics-text", "application/openmetrics-text")],
)
def test_metrics_are_given_as_they_are_asked_for(accept: str, content_type: str) -> None:
    answer = get("/metrics", {}, accept)
    assert answer.headers["content-type"].startswith(content_type)
    assert b"calls_total 3.0\n" in answer.body


def test_probes_may_ask_for_the_head_alone() -> None:
    assert get("/livez", {}, method="HEAD").status == 200


@pytest.mark.parametrize(("path", "method", "code"), [("/", "GET", 404), ("/readyz", "POST", 405)])
def test_there_is_nothing_else(path: str, method: str, code: int) -> None:
    assert get(path, {}, method=method).status == code
