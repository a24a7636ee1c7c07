import itertools
import threading
import time
from collections.abc import Iterator
from math import inf

import pytest
from structlog.testing import capture_logs

from tests.support import pvcs
from tests.support.fake_api import FakeApi
from tests.support.pvcs import MIGRATION, zone_terms
from tests.support.waiting import eventually
from webhook.inventory import PvcsStatus, VmDisk, VmRef
from webhook.inventory.cluster_pvcs import ClusterPvcs
from webhook.inventory.volumes import VolumeTiming
from webhook.kube.api.client import Client
from webhook.kube.api.reflector import ReflectorTiming
from webhook.kube.objects import Json
from webhook.model import Disk, PlanRef, PvcRef, SiblingDisk

QUICK = ReflectorTiming(
    initial_backoff_seconds=0.005, max_backoff_seconds=0.02, idle_timeout_seconds=5
)
QUICK_VOLUMES = VolumeTiming(
    interval_seconds=0, initial_backoff_seconds=0.005, max_backoff_seconds=0.02
)
VM = VmRef("vms", MIGRATION, "vm-1")
DISK, SECOND = pvcs.pvc(), pvcs.pvc("db-vm-1-disk-1")
PRIME = pvcs.prime_pvc(DISK)
A = zone_terms("a")


class KnownPlans:
    """The plans that volumes are read for; all but those in `unknown`."""

    def __init__(self) -> None:
        self.unknown: set[str] = set()

    def __call__(self, ref: PlanRef) -> bool:
        return ref.uid not in self.unknown


@pytest.fixture
def known_plans() -> KnownPlans:
    return KnownPlans()


@pytest.fixture
def watched(client: Client, known_plans: KnownPlans) -> Iterator[ClusterPvcs]:
    watched = ClusterPvcs(client, known_plans, QUICK, QUICK_VOLUMES)
    yield watched
    watched.stop()


def synced(watched: ClusterPvcs) -> ClusterPvcs:
    watched.start()
    eventually(lambda: watched.status().synced)
    return watched


def find(watched: ClusterPvcs, pvc: Json = DISK) -> Disk | None:
    metadata = pvc["metadata"]
    return watched.find_disk(PvcRef(metadata["namespace"], metadata["name"], metadata["uid"]))


def is_bound(watched: ClusterPvcs, pvc: Json = DISK) -> bool | None:
    disk = find(watched, pvc)
    return disk and disk.bound


def node_terms(watched: ClusterPvcs) -> list[list[Json] | None]:
    return [disk.node_terms for disk in watched.list_disks(VM)]


def volume_gets(api: FakeApi) -> list[str]:
    return [each.name for each in api.filter_requests("get")]


def test_disks_are_kept_current_by_three_lists_and_three_watches(
    api: FakeApi, watched: ClusterPvcs
) -> None:
    api.add(DISK)
    synced(watched)
    assert is_bound(watched) is False
    api.add(PRIME)
    eventually(lambda: watched.status().count == 2)
    api.add(pvcs.pvc(volume="pv-1"))
    eventually(lambda: is_bound(watched) and volume_gets(api))
    api.delete("persistentvolumeclaims", "vms", "db-vm-1-disk-0")
    eventually(lambda: find(watched) is None)
    api.delete("persistentvolumeclaims", "vms", PRIME["metadata"]["name"])
    eventually(lambda: watched.status().count == 0)
    status = watched.status()
    assert status == PvcsStatus(True, status.age_seconds)
    assert sorted(
        (each.verb, each.resource, each.query.get("labelSelector")) for each in api.requests
    ) == [
        ("get", "persistentvolumes", None),
        *(
            (verb, resource, selector)
            for verb in ("list", "watch")
            for resource, selector in (
                ("persistentvolumeclaims", "app=containerized-data-importer,!plan"),
                ("persistentvolumeclaims", "plan"),
                ("storageclasses", None),
            )
        ),
    ]


def test_pvcs_of_other_users_are_not_kept(api: FakeApi, watched: ClusterPvcs) -> None:
    api.add(pvcs.printed("no-forklift-http-reconstructed"))
    synced(watched)
    assert watched.status().count == 0


def test_a_printed_disk_is_found_through_its_printed_prime_pvc(
    api: FakeApi, watched: ClusterPvcs
) -> None:
    prime = pvcs.printed("cdi-1.62-prime-reconstructed")
    api.add(pvcs.printed("forklift-2.10-vsphere-warm"), prime)
    synced(watched)
    disk = find(watched, prime)
    assert disk
    assert disk.pvc.vm == "vm-1630"


def test_the_binding_mode_of_a_class_is_kept_current(api: FakeApi, watched: ClusterPvcs) -> None:
    def waits() -> bool | None:
        disk = find(watched)
        return disk and disk.waits_for_first_consumer

    api.add(DISK, pvcs.storage_class(mode="Immediate"))
    synced(watched)
    assert waits() is False
    api.delete("storageclasses", "", "local")
    eventually(waits)
    api.add(pvcs.storage_class(mode="Immediate"))
    eventually(lambda: waits() is False)
    api.add(pvcs.storage_class())
    eventually(waits)


@pytest.mark.parametrize(
    ("server", "age"),
    [("Sat, 01 Aug 2026 09:00:07 GMT", 7), ("Sat, 01 Aug 2026 10:00:00 GMT", 3600)],
)
def test_the_age_of_a_disk_is_by_the_clock_of_the_api_server(
    api: FakeApi, watched: ClusterPvcs, server: str, age: float
) -> None:
    api.date = server
    api.add(DISK)
    synced(watched)
    disk = find(watched)
    assert disk
    assert disk.age_seconds == pytest.approx(age, abs=2)


# Rights


@pytest.mark.parametrize("resource", ["persistentvolumeclaims", "storageclasses"])
def test_a_watch_that_is_not_permitted_is_reported_and_retried(
    api: FakeApi, watched: ClusterPvcs, resource: str
) -> None:
    api.add(DISK)
    api.forbid("list", resource)
    watched.start()
    eventually(lambda: watched.status().restarts > 3)
    status = watched.status()
    assert not status.synced
    assert f"'jane' may not list {resource} at the cluster scope" in status.message
    assert (find(watched) is None) is (resource == "persistentvolumeclaims")
    api.reactions.clear()
    eventually(lambda: watched.status().synced and not watched.status().message)
    assert find(watched)


# Volumes


def test_the_volume_of_a_disk_is_read_once_when_it_is_bound(
    api: FakeApi, watched: ClusterPvcs
) -> None:
    api.add(DISK, SECOND, pvcs.volume("pv-1", A))
    synced(watched)
    assert volume_gets(api) == []
    api.add(pvcs.pvc("db-vm-1-disk-1", volume="pv-1"))
    eventually(lambda: A in node_terms(watched))
    api.add(pvcs.pvc("db-vm-1-disk-1", volume="pv-1", storage_class="other"))
    eventually(lambda: watched.list_disks(VM)[1].pvc.storage_class == "other")
    disk = find(watched)
    assert disk
    assert disk.siblings == [
        SiblingDisk("db-vm-1-disk-1", bound=True, node_terms=A, storage_class="other")
    ]
    assert volume_gets(api) == ["pv-1"]


def test_a_volume_without_node_affinity_is_reachable_from_every_node(
    api: FakeApi, watched: ClusterPvcs
) -> None:
    api.add(pvcs.pvc(volume="pv-1"), pvcs.volume("pv-1"))
    synced(watched)
    eventually(lambda: node_terms(watched) == [[]])


def test_the_volume_of_a_prime_pvc_is_read_for_its_disk(api: FakeApi, watched: ClusterPvcs) -> None:
    api.add(DISK, pvcs.prime_pvc(DISK, volume="pv-1"), pvcs.volume("pv-1", A))
    synced(watched)
    eventually(lambda: node_terms(watched) == [A])
    api.add(pvcs.pvc(volume="pv-1"))
    eventually(lambda: is_bound(watched))
    api.delete("persistentvolumeclaims", "vms", PRIME["metadata"]["name"])
    eventually(lambda: watched.status().count == 1)
    assert node_terms(watched) == [A]
    assert volume_gets(api) == ["pv-1"]


def test_a_volume_that_does_not_exist_is_not_tried_again(
    api: FakeApi, watched: ClusterPvcs
) -> None:
    api.add(pvcs.pvc(volume="gone"), pvcs.pvc("a", volume="pv-1"), pvcs.volume("pv-1", A))
    synced(watched)
    eventually(lambda: node_terms(watched) == [A, None] and len(volume_gets(api)) == 2)
    time.sleep(0.05)
    assert sorted(volume_gets(api)) == ["gone", "pv-1"]
    assert watched.status().message == ""


@pytest.mark.parametrize("status", [0, 403, 429, 500])
def test_a_volume_that_cannot_be_read_is_tried_again_and_reported(
    api: FakeApi, watched: ClusterPvcs, status: int
) -> None:
    api.add(pvcs.pvc(volume="pv-1"), pvcs.volume("pv-1", A))
    api.fail("get", status, times=inf)
    with capture_logs() as logs:
        synced(watched)
        eventually(lambda: len(volume_gets(api)) > 2)
        assert "volumes cannot be read: the API server" in watched.status().message
        api.reactions.clear()
        eventually(lambda: node_terms(watched) == [A])
        eventually(lambda: not watched.status().message)
    events = [each["event"] for each in logs if "volumes" in each["event"]]
    assert events == ["volumes cannot be read", "volumes can be read again"]


def test_an_invalid_response_does_not_end_the_reading(api: FakeApi, watched: ClusterPvcs) -> None:
    api.add(pvcs.pvc(volume="pv-1"), pvcs.volume("pv-1", A))
    api.fail("get", 200, body=b'{"spec": 7}', times=3)
    synced(watched)
    eventually(lambda: node_terms(watched) == [A])


def test_an_internal_error_does_not_end_the_reading(
    api: FakeApi, watched: ClusterPvcs, known_plans: KnownPlans, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_self: object, _ref: PlanRef) -> bool:
        monkeypatch.undo()
        raise TypeError("x")

    monkeypatch.setattr(KnownPlans, "__call__", fail)
    api.add(
        pvcs.pvc(volume="pv-1"), pvcs.volume("pv-1", A), pvcs.pvc("a", vm="vm-2", volume="pv-1")
    )
    with capture_logs() as logs:
        synced(watched)
        eventually(lambda: volume_gets(api))
    assert "reading volumes failed: internal error" in [each["event"] for each in logs]


@pytest.mark.parametrize("name", ["../secrets/x", "a/b", "PV", "", "?x"])
def test_a_text_that_is_not_a_name_is_never_put_into_a_path(
    api: FakeApi, watched: ClusterPvcs, name: str
) -> None:
    forged = pvcs.pvc("forged", vm="vm-2", volume="x")
    forged["spec"]["volumeName"] = name
    api.add(forged, pvcs.pvc(volume="pv-1"), pvcs.volume("pv-1", A))
    synced(watched)
    eventually(lambda: node_terms(watched) == [A])
    api.add(pvcs.pvc("b", volume="pv-1"))
    eventually(lambda: node_terms(watched) == [A, A])
    assert set(volume_gets(api)) == {"pv-1"}


def test_only_volumes_of_known_plans_are_read(
    api: FakeApi, watched: ClusterPvcs, known_plans: KnownPlans
) -> None:
    known_plans.unknown = {"uid-db"}
    other = pvcs.pvc("other", vm="vm-2", plan="uid-other", volume="pv-2")
    api.add(pvcs.pvc(volume="pv-1"), other, pvcs.volume("pv-1", A), pvcs.volume("pv-2"))
    synced(watched)
    eventually(lambda: volume_gets(api))
    api.add(pvcs.pvc(volume="pv-1", storage_class="other"))
    time.sleep(0.05)
    assert volume_gets(api) == ["pv-2"]
    known_plans.unknown = set()
    eventually(lambda: node_terms(watched) == [A])
    assert volume_gets(api) == ["pv-2", "pv-1"]


def test_a_prime_pvc_whose_disk_arrives_later_is_read_then(
    api: FakeApi, watched: ClusterPvcs
) -> None:
    api.add(pvcs.prime_pvc(DISK, volume="pv-1"), pvcs.volume("pv-1", A))
    synced(watched)
    time.sleep(0.02)
    assert volume_gets(api) == []
    api.add(DISK)
    eventually(lambda: node_terms(watched) == [A])


def test_after_a_restart_volumes_are_read_one_at_a_time_the_newest_first(
    api: FakeApi, client: Client
) -> None:
    for number in range(6):
        created = f"2026-08-01T09:00:0{number}Z"
        api.add(pvcs.pvc(f"disk-{5 - number}", created=created, volume=f"pv-{number}"))
        api.add(pvcs.volume(f"pv-{number}", A))
    timing = VolumeTiming(interval_seconds=0.05)
    watched = ClusterPvcs(client, KnownPlans(), QUICK, timing)
    started = time.monotonic()
    synced(watched)
    eventually(lambda: node_terms(watched) == [A] * 6)
    watched.stop()
    assert time.monotonic() - started > 5 * 0.05
    assert volume_gets(api) == [f"pv-{number}" for number in reversed(range(6))]


def test_volumes_of_plans_that_become_known_are_read_the_newest_first(
    api: FakeApi, client: Client
) -> None:
    for number in range(4):
        created = f"2026-08-01T09:00:0{number}Z"
        api.add(pvcs.pvc(f"disk-{number}", created=created, volume=f"pv-{number}"))
        api.add(pvcs.volume(f"pv-{number}", A))
    calls = itertools.count()
    watched = ClusterPvcs(client, lambda _: next(calls) >= 2 * 4, QUICK, QUICK_VOLUMES)
    synced(watched)
    eventually(lambda: node_terms(watched) == [A] * 4)
    watched.stop()
    assert volume_gets(api) == ["pv-3", "pv-2", "pv-1", "pv-0"]


# Changes


def test_subscribers_get_the_vm_of_each_change(api: FakeApi, watched: ClusterPvcs) -> None:
    changed: list[VmRef] = []
    watched.subscribe(changed.append)
    api.add(DISK, pvcs.volume("pv-1", A))
    synced(watched)
    assert changed == [VM]
    api.add(pvcs.pvc(volume="pv-1"))
    eventually(lambda: node_terms(watched) == [A])
    eventually(lambda: changed == [VM] * 3)
    api.delete("persistentvolumeclaims", "vms", "db-vm-1-disk-0")
    eventually(lambda: changed == [VM] * 4)
    assert watched.list_vms() == []


def test_all_vms_with_their_disks_are_listed(api: FakeApi, watched: ClusterPvcs) -> None:
    api.add(DISK, SECOND, pvcs.pvc("other", vm="vm-2"))
    synced(watched)
    found = {vm.vm: len(watched.list_disks(vm)) for vm in watched.list_vms()}
    assert found == {"vm-1": 2, "vm-2": 1}
    disk = find(watched)
    assert disk
    assert VmDisk(disk.pvc, bound=False) in watched.list_disks(VM)


# The end


def test_stop_ends_all_threads_and_keeps_the_disks(api: FakeApi, watched: ClusterPvcs) -> None:
    api.add(DISK)
    synced(watched)
    watched.stop()
    names = [each.name for each in threading.enumerate()]
    assert [name for name in names if name.startswith(("watch ", "read "))] == []
    assert find(watched)
