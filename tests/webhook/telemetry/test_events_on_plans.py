"""Reviews are recorded as Events on their plans, and do not wait for the API server."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.support.asgi import Exchange, Response, send
from tests.support.builders import encode_review, minimal_pod, parsed_plan
from tests.support.fake_api import FakeApi
from tests.support.fake_plans import FakePlans
from tests.support.waiting import eventually
from webhook.kube.api.client import connect
from webhook.model import Installation, Mode, Plan, Reason
from webhook.server import app
from webhook.server.pod_reviews import PodReviewHandler
from webhook.telemetry.event_recorder import QUEUE_SIZE, EventRecorder
from webhook.telemetry.metrics import Metrics
from webhook.telemetry.reporter import Reporter

PLAN = parsed_plan(labels={"team": "a"})
MORE = QUEUE_SIZE + 50
PLACED = "placed by plan 'konveyor-forklift/db': labels team=a"


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with capture_logs():
        yield


@pytest.fixture
def recorder(api: FakeApi, tmp_path: Path) -> Iterator[EventRecorder]:
    recorder = EventRecorder(connect(api.write_kubeconfig(tmp_path)))
    recorder.start()
    yield recorder
    recorder.stop()


def respond(
    recorder: EventRecorder,
    bodies: list[bytes],
    found: Plan | Reason = PLAN,
    mode: Mode = Mode.ENFORCE,
) -> list[Response]:
    """Send reviews to the application, and report the decisions."""
    reporter = Reporter(Metrics(), recorder)
    installation = Installation(mode, identity_labels=False)
    webhook = app.build(
        PodReviewHandler(FakePlans(found), installation), installation, reporter, max_concurrent=2
    )

    async def scene() -> list[Response]:
        responses = [await send(webhook, Exchange([body])) for body in bodies]
        reporter.flush()
        return responses

    return asyncio.run(scene())


def written(api: FakeApi) -> list[Any]:
    return [request.json() for request in api.filter_requests("create", "patch")]


@pytest.mark.parametrize(
    ("mode", "reason", "message"),
    [
        (Mode.ENFORCE, "Placed", PLACED),
        (Mode.AUDIT, "WouldPlace", f"mode audit, nothing is changed: would be {PLACED}"),
    ],
)
def test_a_review_is_recorded_as_an_event_on_its_plan(
    api: FakeApi, recorder: EventRecorder, mode: Mode, reason: str, message: str
) -> None:
    respond(recorder, [encode_review(minimal_pod())], mode=mode)

    eventually(lambda: written(api))
    (event,) = written(api)
    assert (event["reason"], event["message"]) == (reason, message)
    assert (event["involvedObject"]["namespace"], event["involvedObject"]["name"]) == (
        "konveyor-forklift",
        "db",
    )


def test_dry_runs_and_reviews_without_a_known_plan_leave_no_event(
    api: FakeApi, recorder: EventRecorder
) -> None:
    respond(
        recorder, [encode_review(minimal_pod(), dryRun=True), encode_review({"metadata": {}}), b"{"]
    )
    respond(recorder, [encode_review(minimal_pod())], Reason.PLAN_AMBIGUOUS)
    recorder.stop()

    assert written(api) == []


def test_no_review_waits_for_an_api_server_that_hangs(
    api: FakeApi, recorder: EventRecorder
) -> None:
    api.hang("create")
    respond(recorder, [encode_review(minimal_pod())])
    eventually(lambda: api.filter_requests("create", "patch"))

    responses = respond(recorder, [encode_review(minimal_pod())] * MORE)

    assert {response.status for response in responses} == {200}
    assert all(each.json()["response"]["patchType"] == "JSONPatch" for each in responses)
    assert len(api.filter_requests("create", "patch")) == 1
    assert recorder.dropped == {}  # equal Events are one entry of the queue, with a count
    api.release()
