"""Events are written once, counted when they come again, limited, and nobody's burden."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from tests.support.fake_api import WRITE, Asked, FakeApi, eventually, running
from webhook.admission.events import Note, Pod
from webhook.kube.api.client import Client, connect
from webhook.kube.objects import Json
from webhook.model import PlanRef, Reason
from webhook.telemetry.event_recorder import BURST, QUEUE, TRIES, Recorder, Timing

QUICK = Timing(update=0.01, retry=0.001)
PATH = "/api/v1/namespaces/konveyor-forklift/events"
FORBIDDEN = (
    b'{"kind":"Status","reason":"Forbidden","message":"events is forbidden: '
    b'User \\"system:serviceaccount:a:b\\" cannot create resource"}'
)


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with running() as api:
        api.served.add("events")
        yield api


@pytest.fixture
def client(api: FakeApi, tmp_path: Path) -> Client:
    return connect(api.kubeconfig(tmp_path))


@pytest.fixture
def logs() -> Iterator[list[EventDict]]:
    with capture_logs() as lines:
        yield lines


@pytest.fixture
def events(client: Client, logs: list[EventDict]) -> Iterator[Recorder]:
    events = Recorder(client, QUICK)
    yield events
    events.stop()


def note(message: str = "placed", reason: Reason = Reason.PLACED, **more: Pod) -> Note:
    ref = PlanRef("b277", "konveyor-forklift", "db")
    return Note(ref, 3, reason, message, is_warning=False, **more)


def created(api: FakeApi) -> list[Json]:
    return [json.loads(asked.body) for asked in writes(api) if asked.path == PATH]


def writes(api: FakeApi) -> list[Asked]:
    return api.calls(WRITE)


def counts(api: FakeApi) -> list[int]:
    return [json.loads(asked.body)["count"] for asked in writes(api)]


def test_a_note_becomes_an_event(api: FakeApi, events: Recorder) -> None:
    events.start()
    events(note())

    eventually(lambda: writes(api))
    (event,) = created(api)
    assert (event["reason"], event["message"], event["count"]) == ("Placed", "placed", 1)
    assert event["firstTimestamp"] == event["lastTimestamp"]
    assert event["involvedObject"]["name"] == "db"


def test_equal_notes_are_one_event_that_is_counted(api: FakeApi, events: Recorder) -> None:
    events.start()
    for _ in range(50):
        events(note())

    eventually(lambda: counts(api)[-1:] == [50])
    assert len(created(api)) == 1
    name = created(api)[0]["metadata"]["name"]
    assert {asked.path for asked in writes(api)[1:]} <= {f"{PATH}/{name}"}
    assert dict.fromkeys(json.loads(writes(api)[-1].body)).keys() == {"count", "lastTimestamp"}
    assert not events.dropped


def test_a_count_waits_for_its_time_and_is_not_lost_when_the_server_stops(
    api: FakeApi, client: Client
) -> None:
    events = Recorder(client, Timing(update=1000))
    events.start()
    events(note())
    eventually(lambda: counts(api) == [1])
    events(note())
    events(note())
    events.stop()

    assert counts(api) == [1, 3]


def test_an_event_that_kubernetes_has_forgotten_is_made_anew(
    api: FakeApi, events: Recorder
) -> None:
    events.start()
    events(note())
    eventually(lambda: counts(api) == [1])
    api.fail(WRITE, 404)
    events(note())

    eventually(lambda: len(created(api)) == 2)
    assert [event["count"] for event in created(api)] == [1, 2]


def test_a_note_that_comes_again_much_later_is_a_new_event(
    api: FakeApi, client: Client, logs: list[EventDict]
) -> None:
    events = Recorder(client, Timing(forget=0))
    events.start()
    events(note())
    eventually(lambda: len(created(api)) == 1)
    time.sleep(0.001)
    events(note())
    eventually(lambda: len(created(api)) == 2)
    events.stop()


def test_different_notes_on_a_plan_are_limited_by_their_reason(
    api: FakeApi, events: Recorder
) -> None:
    events.start()
    for number in range(BURST + 5):
        events(note(str(number)))
    events(note("another mishap", Reason.MISSED))

    eventually(lambda: len(created(api)) == BURST + 1)
    assert created(api)[-1]["message"] == "another mishap"
    assert events.dropped == {"limited": 5}


def test_one_more_is_allowed_when_time_has_passed(
    api: FakeApi, client: Client, logs: list[EventDict]
) -> None:
    now = 1e9
    events = Recorder(client, Timing(refill=300), clock=lambda: now)
    for number in range(BURST + 1):
        events(note(str(number)))
    events.start()
    eventually(lambda: events.dropped == {"limited": 1})
    now += 300
    events(note("later"))
    events(note("too many"))
    events.stop()

    assert created(api)[-1]["message"] == "later"
    assert events.dropped == {"limited": 2}


def test_what_another_replica_has_told_of_a_pod_is_not_told_again(
    api: FakeApi, events: Recorder, logs: list[EventDict]
) -> None:
    api.fail(WRITE, 409)
    events.start()
    events(note(pod=Pod("vms", "db-vm-1", "u")))

    eventually(lambda: writes(api))
    events.stop()
    assert len(writes(api)) == 1
    assert (logs, events.dropped) == ([], {})


@pytest.mark.parametrize("status", [0, 429, 500, 503])
def test_a_failure_that_may_pass_is_tried_again(
    api: FakeApi, events: Recorder, status: int
) -> None:
    api.fail(WRITE, status, times=2)
    events.start()
    events(note())

    eventually(lambda: len(writes(api)) == 3)
    events.stop()
    assert not events.dropped


def test_a_failure_that_lasts_is_counted_and_logged_once(
    api: FakeApi, events: Recorder, logs: list[EventDict]
) -> None:
    api.fail(WRITE, 500, times=TRIES)
    events.start()
    events(note())

    eventually(lambda: events.dropped)
    assert events.dropped == {"failed": 1}
    assert [line["event"] for line in logs] == ["an Event cannot be written"]


def test_a_right_that_is_missing_is_named_once_until_it_is_there(
    api: FakeApi, events: Recorder, logs: list[EventDict]
) -> None:
    api.fail(WRITE, 403, times=2, body=FORBIDDEN)
    events.start()
    for message in ("a", "b", "c"):
        events(note(message))

    eventually(lambda: len(writes(api)) == 3)
    events.stop()
    assert events.dropped == {"failed": 2}
    assert [line["event"] for line in logs] == [
        "an Event cannot be written",
        "Events are written again",
    ]
    assert logs[0]["error"] == (
        "'system:serviceaccount:a:b' may not create events in namespace 'konveyor-forklift': it "
        'needs a Role or ClusterRole with apiGroups: [""], resources: ["events"], '
        'verbs: ["create"]'
    )


def test_a_fault_of_ours_costs_one_note_and_no_other(
    api: FakeApi, events: Recorder, logs: list[EventDict], monkeypatch: pytest.MonkeyPatch
) -> None:
    def faulty(*_args: object) -> Json:
        raise ZeroDivisionError("boom")

    with monkeypatch.context() as patch:
        patch.setattr("webhook.admission.events.body", faulty)
        events.start()
        events(note("a"))
        eventually(lambda: events.dropped)
    events(note("b"))

    eventually(lambda: created(api))
    assert [event["message"] for event in created(api)] == ["b"]
    assert [line["event"] for line in logs] == ["an Event cannot be made"]
    assert events.dropped == {"failed": 1}


def test_a_server_that_hangs_holds_up_nobody_who_tells(api: FakeApi, events: Recorder) -> None:
    api.fail(WRITE, -1)
    events.start()
    events(note())
    eventually(lambda: writes(api))
    for number in range(QUEUE + 7):
        events(note(str(number)))

    assert events.dropped == {"full": 7}
    events.stop()


def test_only_so_many_notes_are_remembered(
    api: FakeApi, events: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webhook.telemetry.event_recorder.KNOWN", 2)
    events.start()
    said: list[str] = []
    for message in ("a", "b", "c", "a"):
        said.append(message)
        events(note(message))
        eventually(lambda: [event["message"] for event in created(api)] == said)


def test_what_is_forgotten_before_it_was_written_is_counted(
    api: FakeApi, client: Client, logs: list[EventDict], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webhook.telemetry.event_recorder.KNOWN", 2)
    api.fail(WRITE, 500, times=1000)
    events = Recorder(client, Timing(retry=0.001))
    for message in ("a", "b", "c", "d"):
        events(note(message), 3)
    events.start()

    eventually(lambda: events.dropped == {"full": 6, "failed": 6})
    events.stop()
