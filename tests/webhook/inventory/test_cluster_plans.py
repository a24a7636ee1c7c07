import asyncio
import time
from collections.abc import Iterator
from math import inf
from pathlib import Path
from typing import Any

import pytest

from tests.support.builders import node, plan
from tests.support.fake_api import FakeApi, run_fake_api
from tests.support.waiting import eventually
from webhook import settings
from webhook.inventory import cluster_plans
from webhook.inventory.cluster_plans import ClusterPlans
from webhook.kube.api.client import Client, connect
from webhook.kube.api.reflector import ReflectorTiming
from webhook.kube.objects import Json
from webhook.model import Installation, Plan, PlanRef, Reason

QUICK = ReflectorTiming(
    initial_backoff_seconds=0.005, max_backoff_seconds=0.02, idle_timeout_seconds=5
)
A = "11111111-1111-4111-8111-111111111111"
B = "22222222-2222-4222-8222-222222222222"
DB = PlanRef(A, "forklift", "db")


def put(api: FakeApi, name: str = "db", uid: str = A, **settings: Any) -> None:
    spec = {"targetNamespace": "target", "vms": [{"id": "vm-1"}]}
    api.add(plan(name, "forklift", metadata={"uid": uid}, spec=spec, **settings))


def put_node(api: FakeApi, name: str, **labels: str) -> None:
    api.add(node(name, labels))


@pytest.fixture
def plans(client: Client) -> Iterator[ClusterPlans]:
    plans = ClusterPlans(client, Installation(), timing=QUICK)
    yield plans
    plans.stop()


def synced(plans: ClusterPlans) -> ClusterPlans:
    plans.start()
    eventually(lambda: plans.status().synced)
    return plans


def labels(plans: ClusterPlans) -> Any:
    found = plans.find(DB)
    return found.settings.labels if isinstance(found, Plan) else found


def fetch(plans: ClusterPlans, ref: PlanRef = DB, seconds: float = 5) -> Plan | Reason:
    return asyncio.run(plans.fetch(ref, seconds))


def test_plans_are_kept_current_by_one_list_and_one_watch(
    api: FakeApi, plans: ClusterPlans
) -> None:
    put(api, labels="a=b")
    synced(plans)
    assert labels(plans) == {"a": "b"}
    put(api, labels="a=c")
    eventually(lambda: labels(plans) == {"a": "c"})
    api.delete("plans", "forklift", "db")
    eventually(lambda: labels(plans) is Reason.PLAN_NOT_FOUND)
    status = plans.status()
    assert (status.synced, status.count, status.fetches, status.message) == (True, 0, 0, "")
    assert [request.verb for request in api.requests] == ["list", "watch"]


def test_a_plan_that_cannot_be_read_is_reported_and_the_others_are_known(
    api: FakeApi, plans: ClusterPlans, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(plan_object: Json, installation: Installation) -> Plan:
        if plan_object["metadata"]["name"] == "bad":
            raise TypeError("x")
        return real(plan_object, installation)

    real = settings.read
    monkeypatch.setattr(settings, "read", fail)
    put(api, "bad")
    put(api, labels="a=b")
    synced(plans)
    assert labels(plans) == {"a": "b"}
    status = plans.status()
    assert (status.count, status.invalid, status.restarts) == (1, 1, 0)
    assert status.message == (
        "Plan forklift/bad cannot be read: internal error, see the webhook's log: TypeError('x')"
    )


def test_before_the_first_list_an_unknown_plan_is_not_synced(
    api: FakeApi, plans: ClusterPlans
) -> None:
    api.fail("list", 500, times=inf)
    plans.start()
    assert plans.find(DB) is Reason.PLANS_NOT_SYNCED
    eventually(lambda: plans.status().message)
    assert "answered 500" in plans.status().message
    assert not plans.status().synced


def test_a_name_alone_is_not_trusted_before_all_plans_are_known(
    api: FakeApi, plans: ClusterPlans
) -> None:
    put(api)
    fetch(plans)
    assert isinstance(plans.find(DB), Plan)
    assert plans.find(PlanRef(name="db")) is Reason.PLANS_NOT_SYNCED
    assert isinstance(synced(plans).find(PlanRef(name="db")), Plan)


def test_a_plan_that_the_watch_has_not_delivered_is_fetched_by_name(
    api: FakeApi, plans: ClusterPlans
) -> None:
    synced(plans)
    eventually(lambda: api.watching)
    api.fail("watch", 500, times=inf)
    api.end_watches()
    eventually(lambda: plans.status().message)
    put(api)
    assert plans.find(DB) is Reason.PLAN_NOT_FOUND
    assert isinstance(fetch(plans), Plan)
    assert isinstance(plans.find(DB), Plan)
    assert (len(api.filter_requests("get")), plans.status().fetches) == (1, 1)


def test_many_pods_of_one_plan_share_one_get(api: FakeApi, plans: ClusterPlans) -> None:
    async def many() -> list[Plan | Reason]:
        first = await asyncio.gather(*(plans.fetch(DB, 5) for _ in range(50)))
        return [*first, await plans.fetch(DB, 5)]

    synced(plans)
    assert set(asyncio.run(many())) == {Reason.PLAN_NOT_FOUND}
    assert len(api.filter_requests("get")) == 1


def test_the_get_of_a_missing_plan_is_soon_repeated(
    api: FakeApi, plans: ClusterPlans, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def twice() -> None:
        await plans.fetch(DB, 5)
        while len(api.filter_requests("get")) < 2:
            await plans.fetch(DB, 5)
            await asyncio.sleep(0.001)

    monkeypatch.setattr(cluster_plans, "GET_REUSE_SECONDS", 0.01)
    synced(plans)
    asyncio.run(twice())


def test_the_number_of_concurrent_gets_is_limited(api: FakeApi, plans: ClusterPlans) -> None:
    async def many() -> list[Plan | Reason]:
        refs = [PlanRef(name=f"p{n}", namespace="forklift") for n in range(20)]
        return await asyncio.gather(*(plans.fetch(ref, 0.2) for ref in refs))

    synced(plans)
    api.hang("get", times=20)
    assert set(asyncio.run(many())) == {Reason.PLANS_NOT_SYNCED}
    eventually(lambda: len(api.filter_requests("get")) == cluster_plans.MAX_CONCURRENT_GETS)


def test_beyond_the_limit_of_pending_gets_a_plan_is_expected_from_the_watch(
    api: FakeApi, plans: ClusterPlans, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def many() -> Plan | Reason:
        refs = [PlanRef(name=f"p{n}", namespace="forklift") for n in range(20)]
        missing = [asyncio.create_task(plans.fetch(ref, 0.3)) for ref in refs]
        await asyncio.sleep(0.02)
        asyncio.get_running_loop().call_later(0.05, put, api)
        found = await plans.fetch(DB, 5)
        await asyncio.wait(missing)
        return found

    monkeypatch.setattr(cluster_plans, "MAX_PENDING_GETS", 3)
    synced(plans)
    eventually(lambda: api.watching)
    api.hang("get", times=20)
    assert isinstance(asyncio.run(many()), Plan)
    assert plans.status().fetches == 3


def test_a_get_that_hangs_does_not_exceed_the_deadline(api: FakeApi, plans: ClusterPlans) -> None:
    synced(plans)
    api.hang("get")
    start = time.monotonic()
    assert fetch(plans, seconds=0.1) is Reason.PLANS_NOT_SYNCED
    assert time.monotonic() - start < 2


@pytest.mark.parametrize("status", [0, 403, 500])
def test_a_failed_get_does_not_mean_that_the_plan_is_missing(
    api: FakeApi, plans: ClusterPlans, status: int
) -> None:
    synced(plans)
    api.fail("get", status)
    assert fetch(plans) is Reason.PLANS_NOT_SYNCED


def test_a_plan_without_name_is_waited_for(api: FakeApi, plans: ClusterPlans) -> None:
    async def wait() -> Plan | Reason:
        asyncio.get_running_loop().call_later(0.05, put, api)
        return await plans.fetch(PlanRef(uid=A), 5)

    synced(plans)
    eventually(lambda: api.watching)
    assert isinstance(asyncio.run(wait()), Plan)
    assert plans.status().fetches == 0


def test_the_wait_for_a_plan_that_never_arrives_is_limited(
    api: FakeApi, plans: ClusterPlans, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_plans, "MAX_WATCH_WAIT_SECONDS", 0.02)
    synced(plans)
    eventually(lambda: api.watching)
    assert fetch(plans, PlanRef(uid=A), seconds=60) is Reason.PLAN_NOT_FOUND
    api.fail("watch", 500, times=inf)
    api.end_watches()
    eventually(lambda: plans.status().message)
    assert fetch(plans, PlanRef(uid=A), seconds=0.1) is Reason.PLANS_NOT_SYNCED


@pytest.mark.parametrize("name", ["..", "../../secrets/x", "a/b", "", "A", "a%2fb"])
def test_an_invalid_name_never_becomes_part_of_a_path(
    api: FakeApi, plans: ClusterPlans, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_plans, "MAX_WATCH_WAIT_SECONDS", 0)
    synced(plans)
    assert fetch(plans, PlanRef(namespace="forklift", name=name)) is Reason.PLAN_NOT_FOUND
    assert fetch(plans, PlanRef(namespace=name, name="db")) is Reason.PLAN_NOT_FOUND
    assert api.filter_requests("get") == []


def test_a_later_plan_of_the_same_name_does_not_own_the_pod(
    api: FakeApi, plans: ClusterPlans
) -> None:
    put(api, uid=B)
    synced(plans)
    assert fetch(plans) is Reason.PLAN_NOT_FOUND


def test_a_deleted_plan_does_not_come_back_with_a_late_response(
    api: FakeApi, plans: ClusterPlans
) -> None:
    put(api)
    late = api.objects["plans", "forklift", "db"]
    synced(plans)
    eventually(lambda: api.watching)
    api.delete("plans", "forklift", "db")
    eventually(lambda: plans.status().count == 0)
    eventually(lambda: plans._reflector.last_sync_resource_version == str(api.version))
    api.objects["plans", "forklift", "db"] = late
    assert fetch(plans) is Reason.PLAN_NOT_FOUND


def test_while_the_api_server_is_down_the_last_known_plans_are_used(
    api: FakeApi, plans: ClusterPlans
) -> None:
    put(api, labels="a=b")
    synced(plans)
    eventually(lambda: api.watching)
    for kind in ("list", "watch", "get"):
        api.fail(kind, 0, times=inf)
    api.end_watches()
    eventually(lambda: plans.status().restarts >= 3)
    assert labels(plans) == {"a": "b"}
    put(api, labels="a=c")
    api.reactions.clear()
    eventually(lambda: labels(plans) == {"a": "c"})
    assert plans.status().synced


def test_nodes_are_listed_only_when_a_plan_compares_their_labels(
    api: FakeApi, plans: ClusterPlans
) -> None:
    put_node(api, "n1", memory="32Gi", disk="1Ti", other="x")
    put_node(api, "n2", memory="64Gi")
    put(api)
    synced(plans)
    assert plans.node_values == {}
    assert {request.resource for request in api.requests} == {"plans"}
    put(api, node_selector="memory=16Gi+")
    eventually(lambda: plans.node_values == {"memory": {"32Gi", "64Gi"}})
    put(api, "more", B, node_selector="disk=1Gi+")
    eventually(lambda: plans.node_values.get("disk") == {"1Ti"})
    assert plans.node_values["memory"] == {"32Gi", "64Gi"}


def test_a_plan_waits_for_the_labels_that_it_compares(api: FakeApi, plans: ClusterPlans) -> None:
    put_node(api, "n1", memory="32Gi")
    put(api, node_selector="memory=16Gi+")
    put(api, "other", B)
    api.hang("list", "nodes")
    plans.start()
    eventually(lambda: plans._reflector.synced)
    assert plans.find(DB) is Reason.PLANS_NOT_SYNCED
    assert isinstance(plans.find(PlanRef(uid=B)), Plan)
    assert not plans.status().synced
    assert isinstance(fetch(plans, seconds=0.02), Plan)
    api.release()
    assert isinstance(fetch(plans), Plan)
    assert plans.node_values == {"memory": {"32Gi"}}
    assert isinstance(plans.find(DB), Plan)
    assert (plans.status().synced, plans.status().fetches) == (True, 0)


def test_node_values_follow_the_nodes(api: FakeApi, plans: ClusterPlans) -> None:
    put_node(api, "n1", memory="32Gi")
    put_node(api, "n2", memory="32Gi")
    put_node(api, "n3", memory="64Gi")
    put(api, node_selector="memory=16Gi+")
    synced(plans)
    eventually(lambda: plans.node_values == {"memory": {"32Gi", "64Gi"}})
    eventually(lambda: api.watching == 2)
    api.delete("nodes", "", "n1")
    api.delete("nodes", "", "n3")
    eventually(lambda: plans.node_values == {"memory": {"32Gi"}})
    put_node(api, "n2", memory="128Gi")
    eventually(lambda: plans.node_values == {"memory": {"128Gi"}})
    put_node(api, "n2")
    eventually(lambda: plans.node_values == {"memory": set()})


def test_an_error_of_the_node_watch_is_reported(api: FakeApi, plans: ClusterPlans) -> None:
    put(api, node_selector="memory=16Gi+")
    api.unserved.add("nodes")
    synced(plans)
    eventually(lambda: "does not serve nodes of v1" in plans.status().message)
    assert isinstance(plans.find(DB), Plan)


def test_plans_of_a_hub_use_the_nodes_of_the_cluster(
    api: FakeApi, client: Client, tmp_path: Path
) -> None:
    (tmp_path / "hub").mkdir()
    with run_fake_api() as hub:
        plans = ClusterPlans(
            connect(hub.write_kubeconfig(tmp_path / "hub")),
            Installation(),
            nodes=client,
            timing=QUICK,
        )
        put(hub, node_selector="memory=16Gi+")
        put_node(hub, "on the hub", memory="1Ti")
        put_node(api, "here", memory="32Gi")
        synced(plans)
        eventually(lambda: plans.node_values == {"memory": {"32Gi"}})
        assert isinstance(plans.find(DB), Plan)
        plans.stop()


def test_a_setting_of_megabytes_is_a_problem_and_is_not_decoded(
    api: FakeApi, plans: ClusterPlans
) -> None:
    spec = {"targetNamespace": "target", "convertorLabels": {"a": "x" * 2**20}}
    api.add(plan("db", "forklift", metadata={"uid": A}, spec=spec, labels="b=c"))
    found = synced(plans).find(DB)
    assert isinstance(found, Plan)
    assert found.settings.labels == {"b": "c"}
    (problem,) = found.settings.problems
    assert str(problem) == (
        "Plan forklift/db spec.convertorLabels: expected at most 98304 bytes of JSON, found "
        "1048584: nothing of it is applied, shorten it"
    )
