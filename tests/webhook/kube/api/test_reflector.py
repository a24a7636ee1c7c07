import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from math import inf
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from tests.support.fake_api import FakeApi
from tests.support.waiting import eventually
from webhook.kube.api.client import Client, connect
from webhook.kube.api.collection import MAX_PAGE_BYTES, ListWatch
from webhook.kube.api.reflector import (
    Reflector,
    ReflectorStatus,
    ReflectorTiming,
    combine,
    stop_all,
)

PLANS = "/apis/forklift.konveyor.io/v1beta1/plans"
QUICK = ReflectorTiming(
    initial_backoff_seconds=0.005, max_backoff_seconds=0.02, idle_timeout_seconds=5
)


class Metadata(msgspec.Struct):
    name: str
    resource_version: str = msgspec.field(name="resourceVersion")


class Item(msgspec.Struct):
    metadata: Metadata
    spec: int = 0


class Memory:
    """A store that keeps the objects in memory."""

    def __init__(self) -> None:
        self.items: dict[str, int] = {}
        self.replaced = 0
        self.hold = threading.Event()
        self.hold.set()

    def replace(self, items: Iterable[Item]) -> None:
        found = {}
        for item in items:
            self.hold.wait()
            found[item.metadata.name] = item.spec
        self.items = found
        self.replaced += 1

    def update(self, item: Item) -> None:
        if item.spec < 0:
            raise RuntimeError("a bug")
        self.items[item.metadata.name] = item.spec

    def delete(self, item: Item) -> None:
        del self.items[item.metadata.name]


@pytest.fixture
def store() -> Memory:
    return Memory()


Follow = Callable[..., Reflector[Item]]


@pytest.fixture
def follow(client: Client, store: Memory) -> Iterator[Follow]:
    """Return a function that starts a reflector."""
    started = []

    def start(
        timing: ReflectorTiming = QUICK, client: Client = client, **more: Any
    ) -> Reflector[Item]:
        reflector = Reflector(ListWatch(client, PLANS, Item, **more), store, timing)
        reflector.start()
        started.append(reflector)
        return reflector

    yield start
    for reflector in started:
        reflector.stop()


def put(api: FakeApi, **items: int) -> None:
    for name, spec in items.items():
        metadata, status = {"name": name}, {"large": "x" * 99}
        api.add({"kind": "Plan", "metadata": metadata, "spec": spec, "status": status})


def test_the_store_follows_the_collection(api: FakeApi, store: Memory, follow: Follow) -> None:
    put(api, a=1, b=2)
    reflector = follow()
    eventually(lambda: store.items == {"a": 1, "b": 2})
    put(api, b=3, c=4)
    api.delete("plans", "", "a")
    eventually(lambda: store.items == {"b": 3, "c": 4})
    status = reflector.status()
    assert (status.synced, status.restarts, status.message) == (True, 0, "")
    assert status.age_seconds < 10
    eventually(lambda: reflector.last_sync_resource_version == str(api.version))
    assert [request.verb for request in api.requests] == ["list", "watch"]


def test_before_the_first_list_the_age_is_infinite(client: Client, store: Memory) -> None:
    status = Reflector(ListWatch(client, PLANS, Item), store).status()
    assert status == (False, float("inf"), 0, "")


def test_the_page_limit_adapts_to_the_size_of_small_objects(
    api: FakeApi, store: Memory, follow: Follow
) -> None:
    put(api, **{f"p{n:03}": n for n in range(600)})
    follow()
    eventually(lambda: len(store.items) == 600)
    queries = [request.query for request in api.filter_requests("list")]
    assert [query["limit"] for query in queries] == ["20", "80", "320", "500"]
    assert [query.get("continue") for query in queries] == [None, "20", "100", "420"]


def test_the_page_limit_adapts_to_the_size_of_large_objects(
    api: FakeApi, store: Memory, follow: Follow
) -> None:
    for n in range(40):
        api.add({"kind": "Plan", "metadata": {"name": f"p{n}"}, "status": "x" * 100_000})
    follow()
    eventually(lambda: len(store.items) == 40)
    assert [request.query["limit"] for request in api.filter_requests("list")] == ["20", "10", "10"]


def test_a_page_of_too_many_bytes_is_listed_in_smaller_ones(
    api: FakeApi, store: Memory, follow: Follow
) -> None:
    """The small objects in front raise the limit."""
    put(api, **{f"a{n:02}": n for n in range(20)})
    for n in range(3):
        api.add({"kind": "Plan", "metadata": {"name": f"b{n}"}, "status": "x" * MAX_PAGE_BYTES})
    put(api, c=1)
    follow()
    eventually(lambda: len(store.items) == 24)
    pages = [request.query for request in api.filter_requests("list")]
    assert [(page.get("continue"), page["limit"]) for page in pages] == [
        (None, "20"),
        *(("20", limit) for limit in ("80", "20", "5", "1")),
        *((start, "1") for start in ("21", "22", "23")),
    ]
    assert store.items["c"] == 1


def test_selectors_are_sent_with_every_request(api: FakeApi, store: Memory, follow: Follow) -> None:
    query = {"labelSelector": "a=b", "fieldSelector": "metadata.name=x"}
    follow(query=query)
    eventually(lambda: api.watching)
    assert [query.items() <= request.query.items() for request in api.requests] == [True, True]


def test_partial_object_metadata_is_requested_with_metadata_only(
    api: FakeApi, store: Memory, follow: Follow
) -> None:
    follow(metadata_only=True)
    eventually(lambda: api.watching)
    assert [request.headers["accept"].partition(";g=")[0] for request in api.requests] == [
        "application/json;as=PartialObjectMetadataList",
        "application/json;as=PartialObjectMetadata",
    ]


def test_a_watch_that_the_server_ends_is_resumed_from_its_resource_version(
    api: FakeApi, store: Memory, follow: Follow
) -> None:
    put(api, a=1)
    follow()
    eventually(lambda: api.watching)
    api.bookmark("plans")
    put(api, b=2)
    eventually(lambda: store.items == {"a": 1, "b": 2})
    version = api.version
    api.end_watches()
    eventually(lambda: len(api.filter_requests("watch")) >= 2 and api.watching)
    assert api.filter_requests("watch")[1].query["resourceVersion"] == str(version)
    put(api, c=3)
    eventually(lambda: "c" in store.items)
    assert len(api.filter_requests("list")) == 1


def test_a_bookmark_updates_the_resource_version(
    api: FakeApi, store: Memory, follow: Follow
) -> None:
    reflector = follow()
    eventually(lambda: api.watching)
    api.bookmark("plans")
    eventually(lambda: reflector.last_sync_resource_version == str(api.version))
    assert store.items == {}


def test_an_idle_watch_is_restarted_without_counting_as_a_failure(
    api: FakeApi, store: Memory, follow: Follow
) -> None:
    reflector = follow(QUICK._replace(idle_timeout_seconds=0.05))
    eventually(lambda: len(api.filter_requests("watch")) >= 3)
    assert reflector.status().restarts == 0
    assert len(api.filter_requests("list")) == 1


@pytest.mark.parametrize("how", ["response", "event"])
def test_an_expired_resource_version_causes_a_new_list(
    api: FakeApi, store: Memory, follow: Follow, how: str
) -> None:
    put(api, a=1, b=2)
    follow()
    eventually(lambda: api.watching)
    with api.changed:
        if how == "response":
            api.end_watches()
        put(api, c=3)
        api.objects.pop(("plans", "", "a"))  # without an event
        if how == "response":
            api.compact()
        else:
            gone = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}
            api.send_line("plans", json.dumps({"type": "ERROR", "object": gone}).encode())
    eventually(lambda: store.items == {"b": 2, "c": 3})
    assert len(api.filter_requests("list")) == 2


@pytest.mark.parametrize(
    ("response", "message"),
    [
        ({"status": 0}, "the connection was closed before the response was complete"),
        ({"status": 500}, "answered 500: no message"),
        ({"status": 403, "body": b'{"message": "no"}'}, "forbids it: no"),
        ({"status": 401}, "does not accept the credentials"),
        ({"status": 404, "body": b"404"}, "is their CustomResourceDefinition installed?"),
        ({"status": 200, "body": b'{"items": 1}'}, "sent an invalid response"),
        ({"status": 200, "body": b"<html>"}, "instead of JSON"),
    ],
)
def test_a_failed_list_is_reported_and_retried_until_it_succeeds(
    api: FakeApi, store: Memory, follow: Follow, response: Any, message: str
) -> None:
    put(api, a=1)
    api.fail("list", times=inf, **response)
    reflector = follow()
    eventually(lambda: reflector.status().restarts >= 3)
    status = reflector.status()
    assert message in status.message
    not_served = response["status"] == 404  # counts as synced: there are no objects
    assert (status.synced, status.age_seconds, store.items) == (not_served, float("inf"), {})
    api.reactions.clear()
    eventually(lambda: store.items == {"a": 1})
    eventually(lambda: reflector.status().message == "")


@pytest.mark.parametrize("code", [0, 401, 403, 429, 500, 503])
def test_a_failed_watch_resumes_and_the_store_keeps_its_objects(
    api: FakeApi, store: Memory, follow: Follow, code: int
) -> None:
    put(api, a=1)
    follow()
    eventually(lambda: api.watching)
    api.fail("watch", code, times=4)
    api.end_watches()
    put(api, b=2)
    assert "a" in store.items
    eventually(lambda: store.items == {"a": 1, "b": 2})
    assert len(api.filter_requests("list")) == 1


def test_a_watch_that_is_rejected_as_invalid_causes_a_new_list(
    api: FakeApi, store: Memory, follow: Follow
) -> None:
    api.fail("watch", 400)
    follow()
    eventually(lambda: len(api.filter_requests("list")) == 2)


def test_the_store_keeps_its_objects_when_a_page_fails(
    api: FakeApi, store: Memory, follow: Follow
) -> None:
    put(api, **{f"p{n}": n for n in range(30)})
    reflector = follow()
    eventually(lambda: api.watching)
    store.hold.clear()
    reflector.relist()
    eventually(lambda: len(api.filter_requests("list")) == 3)
    api.fail("list", 500)
    store.hold.set()
    eventually(lambda: reflector.status().restarts == 1)
    assert len(store.items) == 30
    eventually(lambda: store.replaced == 2)


@pytest.mark.parametrize("line", [b"no json", b'{"type": "ADDED", "object": {"metadata": {}}}'])
def test_an_invalid_event_causes_a_new_list(
    api: FakeApi, store: Memory, follow: Follow, line: bytes
) -> None:
    reflector = follow()
    eventually(lambda: api.watching)
    api.send_line("plans", line)
    eventually(lambda: len(api.filter_requests("list")) == 2)
    put(api, a=1)
    eventually(lambda: store.items == {"a": 1})
    assert reflector.status().restarts == 1


def test_an_exception_in_the_store_does_not_end_the_watch(
    api: FakeApi, store: Memory, follow: Follow
) -> None:
    reflector = follow()
    eventually(lambda: api.watching)
    put(api, bad=-1)
    eventually(lambda: reflector.status().restarts == 1)
    put(api, good=1)
    eventually(lambda: store.items == {"bad": -1, "good": 1})


def test_the_reflector_backs_off_when_the_server_ends_every_watch(
    api: FakeApi, store: Memory, follow: Follow
) -> None:
    api.fail("watch", 200, times=5)
    reflector = follow(QUICK._replace(initial_backoff_seconds=0.1))
    eventually(lambda: reflector.status().restarts >= 2)
    assert reflector.status().message.endswith("ends every watch at once")


@pytest.fixture
def delays(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """Record the backoff delays instead of waiting for them."""
    found: list[float] = []

    class Woken(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            found.append(timeout or 0)
            return super().wait(0)

    with monkeypatch.context() as patch:
        patch.setattr("webhook.kube.api.reflector._jitter", lambda: 1)
        patch.setattr(
            "webhook.kube.api.reflector.threading", SimpleNamespace(Event=Woken, Thread=Thread)
        )
        yield found


def test_the_backoff_doubles_up_to_its_maximum_and_is_reset_by_a_lasting_watch(
    api: FakeApi, store: Memory, follow: Follow, delays: list[float]
) -> None:
    api.fail("list", 500, times=4)
    follow(ReflectorTiming(0.01, 0.04))
    put(api, a=1)
    eventually(lambda: store.items)
    assert delays == [0.01, 0.02, 0.04, 0.04]
    eventually(lambda: api.watching)
    put(api, a=2)
    eventually(lambda: store.items == {"a": 2})
    time.sleep(0.02)  # longer than the initial backoff
    api.fail("watch", 500)
    api.end_watches()
    eventually(lambda: len(delays) == 5)
    assert delays[4] == 0.01


@pytest.mark.parametrize(("lifetime", "last"), [(0, 0.01), (60, 0.08)])
def test_a_resource_version_that_expired_during_an_outage_resets_the_backoff(
    api: FakeApi,
    follow: Follow,
    delays: list[float],
    monkeypatch: pytest.MonkeyPatch,
    *,
    lifetime: float,
    last: float,
) -> None:
    monkeypatch.setattr("webhook.kube.api.reflector.RESOURCE_VERSION_LIFETIME_SECONDS", lifetime)
    for code in (500, 500, 500, 410):
        api.fail("watch", code)
    follow(ReflectorTiming(0.01, 10))
    eventually(lambda: api.watching)
    assert delays == [0.01, 0.02, 0.04, last]


def test_retry_after_is_respected(api: FakeApi, store: Memory, follow: Follow) -> None:
    api.fail("list", 429, headers=(("Retry-After", "30"),))
    follow()
    eventually(lambda: api.filter_requests("list"))
    time.sleep(0.05)  # many times the maximum backoff
    assert len(api.filter_requests("list")) == 1


def test_the_store_keeps_its_objects_while_access_is_denied(
    api: FakeApi, tmp_path: Path, store: Memory
) -> None:
    api.token = "good"
    client = connect(api.write_kubeconfig(tmp_path, token="good"))
    reflector = Reflector(ListWatch(client, PLANS, Item), store, QUICK)
    put(api, a=1)
    reflector.start()
    eventually(lambda: api.watching)
    api.token = "other"
    api.end_watches()
    put(api, a=2)
    eventually(lambda: "does not accept the credentials" in reflector.status().message)
    assert store.items == {"a": 1}
    api.token = "good"
    eventually(lambda: store.items == {"a": 2})
    reflector.stop()


def test_relist_interrupts_a_watch(api: FakeApi, store: Memory, follow: Follow) -> None:
    put(api, a=1)
    reflector = follow(ReflectorTiming())
    eventually(lambda: api.watching)
    reflector.relist()
    eventually(lambda: store.replaced == 2)
    assert reflector.status().restarts == 0


@pytest.mark.parametrize("during", ["watch", "delay", "list"])
def test_the_reflector_stops_promptly(
    api: FakeApi, store: Memory, follow: Follow, during: str
) -> None:
    put(api, **{f"p{n}": n for n in range(30)})
    if during == "delay":
        api.fail("list", 500, times=100)
    if during == "list":
        store.hold.clear()
    reflector = follow(ReflectorTiming(initial_backoff_seconds=60, max_backoff_seconds=60))
    ready = {
        "watch": lambda: api.watching,
        "delay": lambda: reflector.status().message,
        "list": lambda: api.filter_requests("list"),
    }
    eventually(ready[during])
    started_at = time.monotonic()
    threading.Timer(0.05, store.hold.set).start()
    reflector.stop()
    assert time.monotonic() - started_at < 0.9
    assert reflector._thread
    assert not reflector._thread.is_alive()
    assert store.items == ({} if during != "watch" else {f"p{n}": n for n in range(30)})


def test_a_request_that_hangs_does_not_delay_stop(
    api: FakeApi, client: Client, store: Memory
) -> None:
    api.hang("list")
    reflector = Reflector(ListWatch(client, PLANS, Item), store)
    reflector.start()
    eventually(lambda: api.filter_requests("list"))
    started_at = time.monotonic()
    reflector.stop()
    assert time.monotonic() - started_at < 5


def test_requests_that_hang_delay_the_stop_of_several_reflectors_once(
    api: FakeApi, client: Client, store: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webhook.kube.api.reflector.STOP_TIMEOUT_SECONDS", 0.2)
    api.hang("list", times=inf)
    reflectors = [Reflector(ListWatch(client, PLANS, Item), store) for _ in range(10)]
    for each in reflectors:
        each.start()
    eventually(lambda: len(api.filter_requests("list")) == 10)
    started_at = time.monotonic()
    stop_all(reflectors)
    assert time.monotonic() - started_at < 5 * 0.2


def test_the_status_of_several_reflectors_is_that_of_the_worst() -> None:
    statuses = [
        ReflectorStatus(synced=True, age_seconds=3, restarts=1, message=""),
        ReflectorStatus(synced=False, age_seconds=inf, restarts=2, message="no right"),
        ReflectorStatus(synced=True, age_seconds=5, restarts=0, message="no connection"),
    ]
    assert combine(statuses) == (False, inf, 3, "no right")
    assert combine(statuses[:1]) == statuses[0]
