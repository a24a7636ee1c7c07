"""The watch finds conflicts of disks before a convertor pod exists, and reports them once."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from tests.support import pvcs
from tests.support.affinity_terms import is_in
from tests.support.builders import ZONE, node, plan, pod
from tests.support.fake_api import FakeApi, run_fake_api
from tests.support.fake_disks import FakeDisks
from tests.support.fake_plans import FakePlans
from tests.support.waiting import eventually
from webhook import settings
from webhook.admission.events import PlanEvent
from webhook.inventory import VmDisk, VmDisks, VmRef
from webhook.inventory.cluster_pvcs import ClusterPvcs
from webhook.inventory.conflict_watch import MAX_VMS_PER_CHECK, ConflictTiming, ConflictWatch
from webhook.inventory.volumes import VolumeTiming
from webhook.kube.api.client import Client, connect
from webhook.kube.api.errors import ApiError
from webhook.kube.api.reflector import ReflectorTiming
from webhook.kube.objects import Json
from webhook.model import Installation, Plan, PlanRef, Pvc, Reason

AT_ONCE = ConflictTiming(0.002, 0.0, 0.0)
VM = VmRef("vms", pvcs.MIGRATION, "vm-1")
REF = PlanRef("uid-db", "konveyor-forklift", "db")
PLAN_OBJECT = plan(affinity=f"REQUIRE nodes({ZONE}=b)")
WHY = (
    "disk 'db-0' is bound where the convertor pod of VM 'vm-1' cannot run: the only node that "
    f"reaches it (a1) is excluded by affinity nodes({ZONE}=b); change affinity of the plan, or "
    "cancel the migration of the VM and start it again"
)


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[EventDict]]:
    with capture_logs() as lines:
        yield lines


def read(plan_object: Json) -> Plan:
    return settings.read(plan_object, Installation())


def disk(name: str = "db-0", zone: str = "a", vm: VmRef = VM) -> VmDisk:
    pvc = Pvc(vm.namespace, name, f"uid-{name}", ref=REF, migration=vm.migration, vm=vm.vm)
    return VmDisk(pvc, bound=True, node_terms=[is_in(ZONE, zone)])


class Watched:
    """A watch of disks, plans and nodes that a test changes."""

    def __init__(
        self,
        client: Client,
        disks: VmDisks,
        timing: ConflictTiming = AT_ONCE,
        *,
        hub: Client | None = None,
        lists_pods: bool = False,
    ) -> None:
        self.events: list[PlanEvent] = []
        self.plans = FakePlans(read(PLAN_OBJECT))
        self.watch = ConflictWatch(
            client,
            hub or client,
            disks,
            self.plans,
            Installation(),
            event_sink=self.events.append,
            timing=timing,
            lists_pods=lists_pods,
        )

    @property
    def count(self) -> int:
        return self.watch.status().count

    def check(self) -> int:
        """Check once, as the thread does; return the number of VMs in conflict."""
        self.watch.renew()
        self.watch.check()
        return self.count


@pytest.fixture
def disks() -> FakeDisks:
    return FakeDisks()


@pytest.fixture
def make(client: Client, disks: FakeDisks) -> Callable[..., Watched]:
    return partial(Watched, client, disks)


@pytest.fixture(autouse=True)
def nodes(api: FakeApi) -> None:
    api.add(node("a1", {ZONE: "a"}), node("b1", {ZONE: "b"}), PLAN_OBJECT)


def progress(completed: str | None, migration: str = pvcs.MIGRATION) -> Json:
    vms: list[Json] = [{"id": "vm-1", "completed": completed, "phase": "x", "pipeline": []}]
    history = [{"migration": {"uid": migration}}]
    return PLAN_OBJECT | {"status": {"migration": {"history": history, "vms": vms}}}


def test_a_disk_bound_where_the_convertor_cannot_run_is_reported_once(
    make: Callable[..., Watched], disks: FakeDisks, logs: list[EventDict]
) -> None:
    watched = make()
    disks.put(VM, disk())
    assert watched.check() == 1
    disks.put(VM, disk(), disk("db-1"))
    assert watched.check() == 1
    assert watched.events == [PlanEvent(REF, 3, Reason.PLACEMENT_CONFLICT, WHY, is_warning=True)]
    assert logs == [
        {
            "event": WHY,
            "log_level": "warning",
            "reason": "PlacementConflict",
            "plan": "konveyor-forklift/db",
            "namespace": "vms",
            "vm": "vm-1",
        }
    ]


def test_a_conflict_is_found_from_the_pvc_and_its_volume(api: FakeApi, client: Client) -> None:
    quick = ReflectorTiming(0.005, 0.02, 5)
    found = ClusterPvcs(client, lambda _: True, quick, VolumeTiming(0, 0.005, 0.02))
    watched = Watched(client, found)
    found.start()
    watched.watch.start()
    try:
        api.add(pvcs.volume("pv-0", pvcs.zone_terms("a")), pvcs.pvc("db-0"))
        eventually(found.list_vms)
        assert watched.count == 0
        api.add(pvcs.pvc("db-0", volume="pv-0"))
        eventually(lambda: watched.events)
        assert watched.events[0].message == WHY
        api.delete("persistentvolumeclaims", "vms", "db-0")
        eventually(lambda: watched.count == 0)
    finally:
        watched.watch.stop()
        found.stop()


def test_disks_that_exclude_each_other_are_reported_for_a_plan_without_settings(
    make: Callable[..., Watched], disks: FakeDisks
) -> None:
    watched = make()
    watched.plans.found = read(plan())
    disks.put(VM, disk(zone="a"), disk("db-1", zone="b"))
    assert watched.check() == 1
    assert "bound in places that exclude each other" in watched.events[0].message
    disks.put(VM, disk(zone="a"))
    assert watched.check() == 0


@pytest.mark.parametrize(
    "resolve",
    [
        lambda watched, _api: setattr(watched.plans, "found", read(plan(labels="a=b"))),
        lambda _watched, api: api.add(progress("2026-08-01T09:00:00Z")),
        lambda watched, _api: setattr(watched.plans, "found", Reason.PLAN_NOT_FOUND),
    ],
    ids=["settings", "migration", "plan"],
)
def test_a_conflict_is_gone_when_it_is_resolved_or_the_migration_has_ended(
    make: Callable[..., Watched],
    disks: FakeDisks,
    api: FakeApi,
    resolve: Callable[[Watched, FakeApi], None],
    logs: list[EventDict],
) -> None:
    watched = make()
    disks.put(VM, disk(zone="a"))
    assert watched.check() == 1
    resolve(watched, api)
    assert watched.check() == 0
    assert [line["log_level"] for line in logs] == ["warning", "info"]


def test_a_node_that_appears_resolves_a_conflict(
    make: Callable[..., Watched], disks: FakeDisks, api: FakeApi
) -> None:
    watched = make()
    watched.plans.found = read(plan(node_selector="disk=nvme"))
    disks.put(VM, disk())
    assert watched.check() == 1
    api.add(node("a2", {ZONE: "a", "disk": "nvme"}))
    assert watched.check() == 0
    api.delete("nodes", "", "a2")
    assert watched.check() == 1
    assert len(watched.events) == 2


def test_nodes_that_changed_at_a_check_of_another_vm_are_not_missed(
    make: Callable[..., Watched], disks: FakeDisks, api: FakeApi
) -> None:
    watched = make()
    disks.put(VM, disk(zone="b"))
    watched.check()
    assert watched.check() == 0
    api.delete("nodes", "", "b1")
    other = VM._replace(vm="vm-2")
    disks.put(other, disk(vm=other))
    watched.watch.check()
    assert watched.check() == 2


def test_a_rule_that_is_changed_after_the_disks_are_bound_is_checked(
    make: Callable[..., Watched], disks: FakeDisks
) -> None:
    watched = make()
    disks.put(VM, disk(zone="b"))
    assert watched.check() == 0
    watched.plans.found = read(plan(affinity=f"REQUIRE nodes({ZONE}=a)"))
    assert watched.check() == 1


def test_a_migration_that_has_ended_has_no_conflicts(
    make: Callable[..., Watched], disks: FakeDisks, api: FakeApi
) -> None:
    api.add(progress("2026-08-01T09:00:00Z"))
    watched = make()
    disks.put(VM, disk())
    assert watched.check() == 0
    gets = len(api.filter_requests("get"))
    disks.put(VM, disk(), disk("db-1"))
    assert watched.check() == 0
    assert len(api.filter_requests("get")) == gets
    disks.put(VM)
    watched.check()
    api.add(progress(None))
    disks.put(VM, disk())
    assert watched.check() == 1


def test_the_rules_of_the_vm_count(make: Callable[..., Watched], disks: FakeDisks) -> None:
    watched = make()
    watched.plans.found = read(plan(labels="a=b", spec={"targetNodeSelector": {ZONE: "b"}}))
    disks.put(VM, disk())
    assert watched.check() == 1
    assert "bound where VM 'vm-1' cannot run" in watched.events[0].message


RULE = plan(affinity="REQUIRE pods(app=ceph-osd) on node")


def test_required_pods_are_listed_by_their_labels_if_that_is_permitted(
    make: Callable[..., Watched], disks: FakeDisks, api: FakeApi
) -> None:
    watched = make(lists_pods=True)
    watched.plans.found = read(RULE)
    api.add(pod("rook-ceph/osd", "b1", {"app": "ceph-osd"}), pod("shop/web", "a1"))
    disks.put(VM, disk())
    assert watched.check() == 1
    (listed,) = [each for each in api.filter_requests("list") if each.resource == "pods"]
    assert listed.query["labelSelector"] == "app=ceph-osd"
    api.add(pod("rook-ceph/osd-2", "a1", {"app": "ceph-osd"}))
    assert watched.check() == 0


def test_rules_on_pods_are_not_judged_without_the_right_to_list_pods(
    make: Callable[..., Watched], disks: FakeDisks, api: FakeApi
) -> None:
    watched = make()
    watched.plans.found = read(RULE)
    disks.put(VM, disk())
    assert watched.check() == 0
    assert {each.resource for each in api.filter_requests("list")} == {"nodes"}


def test_nothing_is_read_before_a_disk_is_bound_where_not_every_node_reaches_it(
    make: Callable[..., Watched], disks: FakeDisks, api: FakeApi
) -> None:
    watched = make()
    disks.put(VM, disk()._replace(bound=False, node_terms=None), disk()._replace(node_terms=[]))
    disks.put(VM._replace(vm="vm-2"), disk()._replace(node_terms=None))
    assert watched.check() == 0
    assert api.requests == []


def test_nodes_are_listed_once_for_all_vms_and_plans_only_for_conflicts(
    make: Callable[..., Watched], disks: FakeDisks, api: FakeApi
) -> None:
    watched = make(timing=ConflictTiming(0.002, 60.0, 60.0))
    for number in range(5):
        vm = VM._replace(vm=f"vm-{number}")
        disks.put(vm, disk(zone="a" if number == 3 else "b", vm=vm))
        watched.check()
    assert watched.count == 1
    assert [(each.verb, each.resource) for each in api.requests] == [
        ("list", "nodes"),
        ("get", "plans"),
    ]


def test_the_plan_is_read_on_the_hub_and_nodes_in_the_cluster_of_the_pods(
    make: Callable[..., Watched], disks: FakeDisks, api: FakeApi, tmp_path: Path
) -> None:
    (tmp_path / "hub").mkdir()
    with run_fake_api() as hub:
        hub.add(PLAN_OBJECT, node("a2", {ZONE: "a"} | {"disk": "nvme"}))
        watched = make(hub=connect(hub.write_kubeconfig(tmp_path / "hub")))
        disks.put(VM, disk())
        assert watched.check() == 1
        assert {(each.verb, each.resource) for each in hub.requests} == {("get", "plans")}
        assert {(each.verb, each.resource) for each in api.requests} == {("list", "nodes")}
        hub.add(progress("2026-08-01T09:00:00Z"))
        assert watched.check() == 0


def test_many_vms_are_checked_in_batches(make: Callable[..., Watched], disks: FakeDisks) -> None:
    watched = make(timing=ConflictTiming(0.002, 60.0, 60.0))
    for number in range(MAX_VMS_PER_CHECK + 1):
        vm = VM._replace(vm=f"vm-{number}")
        disks.put(vm, disk(vm=vm))
    assert watched.check() == MAX_VMS_PER_CHECK
    assert watched.check() == MAX_VMS_PER_CHECK + 1


def test_a_vm_waits_until_the_plans_are_known(
    make: Callable[..., Watched], disks: FakeDisks
) -> None:
    watched = make()
    watched.plans.found = Reason.PLANS_NOT_SYNCED
    disks.put(VM, disk())
    assert watched.check() == 0
    watched.plans.found = read(PLAN_OBJECT)
    assert watched.check() == 1


def test_a_plan_with_mode_off_is_not_checked(
    make: Callable[..., Watched], disks: FakeDisks, api: FakeApi
) -> None:
    watched = make()
    watched.plans.found = read(plan(affinity=f"REQUIRE nodes({ZONE}=b)", mode="off"))
    disks.put(VM, disk(), disk("db-1", zone="b"))
    assert watched.check() == 0
    assert api.requests == []


def test_a_failure_is_in_the_status_and_the_vms_are_checked_again(
    make: Callable[..., Watched], disks: FakeDisks, api: FakeApi, logs: list[EventDict]
) -> None:
    api.forbid("list", "nodes", user="webhook")
    watched = make()
    disks.put(VM, disk())
    with pytest.raises(ApiError):
        watched.check()
    watched.watch.start()
    eventually(lambda: "may not list nodes" in watched.watch.status().message)
    eventually(lambda: len(api.filter_requests("list")) > 3)
    api.reactions.clear()
    eventually(lambda: watched.count == 1)
    eventually(lambda: not watched.watch.status().message)
    watched.watch.stop()
    failures = [line for line in logs if line["event"] == "looking for placement conflicts failed"]
    assert [line["log_level"] for line in failures] == ["warning"]


def test_a_plan_that_is_being_deleted_is_reported_until_its_watch_knows(
    make: Callable[..., Watched], disks: FakeDisks, api: FakeApi
) -> None:
    api.delete("plans", "konveyor-forklift", "db")
    watched = make()
    disks.put(VM, disk())
    assert watched.check() == 1
    watched.plans.found = Reason.PLAN_NOT_FOUND
    assert watched.check() == 0


@pytest.mark.parametrize("status", [500, 403])
def test_a_plan_that_cannot_be_read_is_tried_again(
    make: Callable[..., Watched], disks: FakeDisks, api: FakeApi, status: int
) -> None:
    watched = make()
    api.fail("get", status)
    disks.put(VM, disk())
    with pytest.raises(ApiError):
        watched.check()
    api.reactions.clear()
    assert watched.check() == 1


def test_an_invalid_response_is_an_error_of_the_server(
    make: Callable[..., Watched], disks: FakeDisks, api: FakeApi
) -> None:
    api.add(PLAN_OBJECT | {"status": {"migration": "running"}})
    watched = make()
    disks.put(VM, disk())
    with pytest.raises(ApiError, match=r"sent an invalid Plan 'konveyor-forklift/db': Expected"):
        watched.check()


def test_an_event_is_repeated_after_the_api_server_has_deleted_it(
    make: Callable[..., Watched], disks: FakeDisks, logs: list[EventDict]
) -> None:
    watched = make(timing=ConflictTiming(0.002, 0.0, 0.0, repeat_seconds=-1))
    disks.put(VM, disk())
    watched.check()
    watched.check()
    assert len(watched.events) == 2
    assert len(logs) == 1


def test_an_internal_error_does_not_end_the_watch(
    make: Callable[..., Watched], disks: FakeDisks
) -> None:
    watched = make()
    watched.plans.error = RuntimeError("internal")
    disks.put(VM, disk())
    watched.watch.start()
    eventually(lambda: len(disks.reads) > 2)
    watched.plans.error = None
    eventually(lambda: watched.count == 1)
    watched.watch.stop()
