"""The event recorder aggregates, counts and limits Events, and never blocks its callers."""

import json
import time
from collections.abc import Iterator
from math import inf

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from tests.support.fake_api import FakeApi
from tests.support.reactions import Request
from tests.support.waiting import eventually
from webhook.admission.events import PlanEvent, RelatedPod
from webhook.kube.api.client import Client
from webhook.kube.objects import Json
from webhook.model import PlanRef, Reason
from webhook.telemetry.event_recorder import (
    BURST,
    MAX_ATTEMPTS,
    QUEUE_SIZE,
    EventRecorder,
    RecorderTiming,
)

QUICK = RecorderTiming(update_interval_seconds=0.01, initial_backoff_seconds=0.001)
PATH = "/api/v1/namespaces/konveyor-forklift/events"


@pytest.fixture
def logs() -> Iterator[list[EventDict]]:
    with capture_logs() as lines:
        yield lines


@pytest.fixture
def recorder(client: Client, logs: list[EventDict]) -> Iterator[EventRecorder]:
    recorder = EventRecorder(client, QUICK)
    yield recorder
    recorder.stop()


def make_event(
    message: str = "placed", reason: Reason = Reason.PLACED, **more: RelatedPod
) -> PlanEvent:
    ref = PlanRef("b277", "konveyor-forklift", "db")
    return PlanEvent(ref, 3, reason, message, is_warning=False, **more)


def created(api: FakeApi) -> list[Json]:
    return [request.json() for request in api.filter_requests("create")]


def writes(api: FakeApi) -> list[Request]:
    return api.filter_requests("create", "patch")


def counts(api: FakeApi) -> list[int]:
    return [request.json()["count"] for request in writes(api)]


def test_an_event_is_created(api: FakeApi, recorder: EventRecorder) -> None:
    recorder.start()
    recorder(make_event())

    eventually(lambda: writes(api))
    (event,) = created(api)
    assert (event["reason"], event["message"], event["count"]) == ("Placed", "placed", 1)
    assert event["firstTimestamp"] == event["lastTimestamp"]
    assert event["involvedObject"]["name"] == "db"


def test_equal_events_are_aggregated_into_one_with_a_count(
    api: FakeApi, recorder: EventRecorder
) -> None:
    recorder.start()
    for _ in range(50):
        recorder(make_event())

    eventually(lambda: counts(api)[-1:] == [50])
    assert len(created(api)) == 1
    name = created(api)[0]["metadata"]["name"]
    assert {request.path for request in writes(api)[1:]} <= {f"{PATH}/{name}"}
    assert dict.fromkeys(json.loads(writes(api)[-1].body)).keys() == {"count", "lastTimestamp"}
    assert not recorder.dropped


def test_a_count_is_updated_after_an_interval_and_when_the_server_stops(
    api: FakeApi, client: Client
) -> None:
    recorder = EventRecorder(client, RecorderTiming(update_interval_seconds=1000))
    recorder.start()
    recorder(make_event())
    eventually(lambda: counts(api) == [1])
    recorder(make_event())
    recorder(make_event())
    recorder.stop()

    assert counts(api) == [1, 3]


def test_an_event_that_the_api_server_has_deleted_is_created_again(
    api: FakeApi, recorder: EventRecorder
) -> None:
    recorder.start()
    recorder(make_event())
    eventually(lambda: counts(api) == [1])
    api.fail("patch", 404)
    recorder(make_event())

    eventually(lambda: len(created(api)) == 2)
    assert [event["count"] for event in created(api)] == [1, 2]


def test_an_equal_event_much_later_starts_a_new_series(
    api: FakeApi, client: Client, logs: list[EventDict]
) -> None:
    recorder = EventRecorder(client, RecorderTiming(max_idle_seconds=0))
    recorder.start()
    recorder(make_event())
    eventually(lambda: len(created(api)) == 1)
    time.sleep(0.001)
    recorder(make_event())
    eventually(lambda: len(created(api)) == 2)
    recorder.stop()


def test_different_events_on_a_plan_are_rate_limited_by_reason(
    api: FakeApi, recorder: EventRecorder
) -> None:
    recorder.start()
    for number in range(BURST + 5):
        recorder(make_event(str(number)))
    recorder(make_event("another reason", Reason.MISSED))

    eventually(lambda: len(created(api)) == BURST + 1)
    assert created(api)[-1]["message"] == "another reason"
    assert recorder.dropped == {"limited": 5}


def test_the_rate_limit_admits_one_more_event_after_the_refill_interval(
    api: FakeApi, client: Client, logs: list[EventDict]
) -> None:
    now = 1e9
    recorder = EventRecorder(client, RecorderTiming(refill_seconds=300), clock=lambda: now)
    for number in range(BURST + 1):
        recorder(make_event(str(number)))
    recorder.start()
    eventually(lambda: recorder.dropped == {"limited": 1})
    now += 300
    recorder(make_event("later"))
    recorder(make_event("too many"))
    recorder.stop()

    assert created(api)[-1]["message"] == "later"
    assert recorder.dropped == {"limited": 2}


def test_an_event_about_a_pod_that_another_replica_has_created_is_not_repeated(
    api: FakeApi, recorder: EventRecorder, logs: list[EventDict]
) -> None:
    api.fail("create", 409)
    recorder.start()
    recorder(make_event(pod=RelatedPod("vms", "db-vm-1", "u")))

    eventually(lambda: writes(api))
    recorder.stop()
    assert len(writes(api)) == 1
    assert (logs, recorder.dropped) == ([], {})


@pytest.mark.parametrize("status", [0, 429, 500, 503])
def test_a_temporary_failure_is_retried(api: FakeApi, recorder: EventRecorder, status: int) -> None:
    api.fail("create", status, times=2)
    recorder.start()
    recorder(make_event())

    eventually(lambda: len(writes(api)) == 3)
    recorder.stop()
    assert not recorder.dropped


def test_a_permanent_failure_is_counted_and_logged_once(
    api: FakeApi, recorder: EventRecorder, logs: list[EventDict]
) -> None:
    api.fail("create", 500, times=MAX_ATTEMPTS)
    recorder.start()
    recorder(make_event())

    eventually(lambda: recorder.dropped)
    assert recorder.dropped == {"failed": 1}
    assert [line["event"] for line in logs] == ["an Event cannot be written"]


def test_a_missing_permission_is_logged_once_until_it_is_granted(
    api: FakeApi, recorder: EventRecorder, logs: list[EventDict]
) -> None:
    api.forbid("create", "events", user="system:serviceaccount:a:b", times=2)
    recorder.start()
    for message in ("a", "b", "c"):
        recorder(make_event(message))

    eventually(lambda: len(writes(api)) == 3)
    recorder.stop()
    assert recorder.dropped == {"failed": 2}
    assert [line["event"] for line in logs] == [
        "an Event cannot be written",
        "Events are written again",
    ]
    assert logs[0]["error"] == (
        "'system:serviceaccount:a:b' may not create events in namespace 'konveyor-forklift': it "
        'needs a Role or ClusterRole with apiGroups: [""], resources: ["events"], '
        'verbs: ["create"]'
    )


def test_an_internal_error_drops_only_its_own_event(
    api: FakeApi, recorder: EventRecorder, logs: list[EventDict], monkeypatch: pytest.MonkeyPatch
) -> None:
    def faulty(*_args: object) -> Json:
        raise ZeroDivisionError("boom")

    with monkeypatch.context() as patch:
        patch.setattr("webhook.admission.events.build_object", faulty)
        recorder.start()
        recorder(make_event("a"))
        eventually(lambda: recorder.dropped)
    recorder(make_event("b"))

    eventually(lambda: created(api))
    assert [event["message"] for event in created(api)] == ["b"]
    assert [line["event"] for line in logs] == ["an Event cannot be built"]
    assert recorder.dropped == {"failed": 1}


def test_an_api_server_that_hangs_does_not_block_callers(
    api: FakeApi, recorder: EventRecorder
) -> None:
    api.hang("create")
    recorder.start()
    recorder(make_event())
    eventually(lambda: writes(api))
    for number in range(QUEUE_SIZE + 7):
        recorder(make_event(str(number)))

    assert recorder.dropped == {"full": 7}
    recorder.stop()


def test_the_number_of_series_is_limited(
    api: FakeApi, recorder: EventRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webhook.telemetry.event_recorder.MAX_SERIES", 2)
    recorder.start()
    messages: list[str] = []
    for message in ("a", "b", "c", "a"):
        messages.append(message)
        recorder(make_event(message))
        eventually(lambda: [event["message"] for event in created(api)] == messages)


def test_events_that_are_evicted_before_they_are_written_are_counted(
    api: FakeApi, client: Client, logs: list[EventDict], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webhook.telemetry.event_recorder.MAX_SERIES", 2)
    api.fail("create", 500, times=inf)
    recorder = EventRecorder(client, RecorderTiming(initial_backoff_seconds=0.001))
    for message in ("a", "b", "c", "d"):
        recorder(make_event(message), 3)
    recorder.start()

    eventually(lambda: recorder.dropped == {"full": 6, "failed": 6})
    recorder.stop()
