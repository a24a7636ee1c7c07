"""The watch of migration pods finds and reports those without their placement."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from math import inf

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from tests.support.builders import CONVERTOR_LABELS, pod
from tests.support.fake_api import FakeApi
from tests.support.fake_plans import FakePlans
from tests.support.fake_pvcs import FakePvcs
from tests.support.missed_pods import BEFORE, PLACED_LABELS, UNREVIEWED, enforced_plan
from tests.support.placements import MARK, OWNER
from tests.support.pvcs import owner_reference
from tests.support.releases import CONFIGURATION, release
from tests.support.waiting import eventually
from webhook.admission.events import PlanEvent, RelatedPod
from webhook.inventory import PvcsStatus
from webhook.inventory.clock import format_time
from webhook.inventory.pods import MAX_PVCS_AGE_SECONDS, WINDOW_REACH, PodWatch, PodWatchTiming
from webhook.kube.api.client import Client
from webhook.kube.api.reflector import ReflectorTiming
from webhook.model import Disk, Installation, Limits, PlanRef, Pvc, PvcRef, Reason, Role

QUICK = PodWatchTiming(
    grace_period_seconds=0.01, check_interval_seconds=0.002, watch=ReflectorTiming(0.005, 0.02, 5)
)
INSTALLATION = Installation()
PLAN = enforced_plan()
FUTURE = "2999-01-01T00:00:00Z"
"""Certainly after the start of the watch."""


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[EventDict]]:
    with capture_logs() as lines:
        yield lines


class Watched:
    def __init__(
        self,
        client: Client,
        timing: PodWatchTiming,
        namespaces: str = "",
        installation: Installation = INSTALLATION,
    ) -> None:
        self.events: list[PlanEvent] = []
        self.plans = FakePlans(PLAN)
        self.pvcs = FakePvcs()
        self.pods = PodWatch(
            client,
            self.plans,
            installation,
            self.events.append,
            timing,
            pvcs=self.pvcs,
            namespaces=namespaces.split(),
            webhook_config=CONFIGURATION,
        )

    @property
    def missed(self) -> dict[Reason, int]:
        """The number of missed pods by reason, in all roles."""
        counts = Counter[Reason]()
        for (reason, _), count in self.pods.status().missed.items():
            counts[reason] += count
        return dict(counts)


@pytest.fixture(autouse=True)
def _release(api: FakeApi) -> None:
    api.add(*release())


@pytest.fixture
def watched(client: Client) -> Iterator[Watched]:
    watched = Watched(client, QUICK)
    yield watched
    watched.pods.stop()


def put(
    api: FakeApi,
    name: str = "db-vm-1",
    created: str = FUTURE,
    *,
    namespace: str = "target",
    placed: bool = False,
    **further: str,
) -> None:
    labels, annotations = (PLACED_LABELS, MARK) if placed else (CONVERTOR_LABELS, {})
    metadata = {"uid": name, "creationTimestamp": created, "annotations": annotations}
    api.add(pod(f"{namespace}/{name}", labels=labels | further, metadata=metadata))


def test_a_missed_pod_is_reported_once(
    api: FakeApi, watched: Watched, logs: list[EventDict]
) -> None:
    watched.pods.start()
    eventually(lambda: watched.pods.status().synced)
    put(api)
    eventually(lambda: watched.events)
    put(api)
    put(api, "db-vm-2", placed=True)
    eventually(lambda: watched.pods.status().count == 2)

    related = RelatedPod("target", "db-vm-1", "db-vm-1")
    assert watched.events == [
        PlanEvent(OWNER, 3, Reason.MISSED, UNREVIEWED, is_warning=True, pod=related)
    ]
    assert watched.missed == {Reason.MISSED: 1}
    assert watched.pods.status().seen == {(Reason.MISSED, Role.CONVERTOR): 1}
    assert [line for line in logs if line["log_level"] == "warning"] == [
        {
            "event": UNREVIEWED,
            "log_level": "warning",
            "reason": "Missed",
            "role": "convertor",
            "pod": "target/db-vm-1",
            "plan": "konveyor-forklift/db",
        }
    ]


ALL_SELECTORS = {
    "forklift.app in (consumer,deep-inspection,virt-v2v,virt-v2v-inspection)",
    "cdi.kubevirt.io=importer",
    "pvcName",
}


@pytest.mark.parametrize(
    ("roles", "selectors"),
    [
        (tuple(Role), ALL_SELECTORS),
        ((Role.CONVERTOR,), {"forklift.app=virt-v2v"}),
        (
            (Role.CONVERTOR, Role.FIRST_CONSUMER),
            {"forklift.app in (consumer,virt-v2v)", "cdi.kubevirt.io=importer"},
        ),
        ((Role.POPULATOR,), {"pvcName"}),
    ],
    ids=["all", "convertor", "default", "populator"],
)
def test_only_metadata_of_pods_of_allowed_roles_that_have_not_ended_is_watched(
    api: FakeApi, client: Client, roles: tuple[Role, ...], selectors: set[str]
) -> None:
    watched = Watched(client, QUICK, installation=Installation(limits=Limits(roles=roles)))
    watched.pods.start()
    eventually(lambda: api.watching == len(selectors))
    watched.pods.stop()

    requests = api.filter_requests("list", "watch")
    assert {request.query["labelSelector"] for request in requests} == selectors
    for request in requests:
        assert request.query["fieldSelector"] == "status.phase!=Succeeded,status.phase!=Failed"
        assert "as=PartialObjectMetadata" in request.headers["accept"]


def test_a_pod_that_is_repaired_or_deleted_is_no_longer_missed(
    api: FakeApi, watched: Watched
) -> None:
    put(api, "a")
    put(api, "b")
    put(api, "c")
    put(api, "old", BEFORE, placed=True)
    watched.pods.start()
    eventually(lambda: watched.missed == {Reason.MISSED: 3})
    put(api, "a", placed=True)
    api.delete("pods", "target", "b")
    eventually(lambda: watched.missed == {Reason.MISSED: 1})
    api.delete("pods", "target", "c")
    eventually(lambda: watched.missed == {})
    assert watched.pods.status().count == 2
    assert watched.pods.status().seen == {(Reason.MISSED, Role.CONVERTOR): 3}


def test_pods_deleted_during_an_interruption_of_the_watch_are_forgotten(
    api: FakeApi, watched: Watched
) -> None:
    put(api)
    watched.pods.start()
    eventually(lambda: watched.missed == {Reason.MISSED: 1} and api.watching == 3)
    api.fail("watch", 410, times=3)
    with api.changed:
        del api.objects["pods", "target", "db-vm-1"]
    api.end_watches()

    eventually(lambda: watched.pods.status().count == 0)
    assert watched.missed == {}


def ago(seconds: float) -> str:
    return format_time(datetime.now(UTC) - timedelta(seconds=seconds))


def test_pods_of_an_outage_are_found_when_one_was_placed_just_before_it(
    api: FakeApi, watched: Watched
) -> None:
    put(api, "missed", ago(10))
    put(api, "placed", ago(20), placed=True)
    watched.pods.start()

    eventually(lambda: watched.missed == {Reason.MISSED: 1})


@pytest.mark.parametrize("placed", [0, WINDOW_REACH.total_seconds() + 1])
def test_pods_older_than_the_enforcement_window_are_not_checked(
    api: FakeApi, watched: Watched, placed: float
) -> None:
    put(api, "unproven", ago(10))
    put(api, "placed", ago(placed), placed=True)
    put(api, "missed")
    watched.pods.start()
    eventually(lambda: watched.events)

    assert [event.pod and event.pod.name for event in watched.events] == ["missed"]


def test_a_pod_waits_for_its_plan(api: FakeApi, watched: Watched) -> None:
    watched.plans.found = Reason.PLANS_NOT_SYNCED
    put(api)
    watched.pods.start()
    eventually(lambda: watched.pods.status().synced)
    watched.pods.check_due_pods()
    assert watched.missed == {}

    watched.plans.found = PLAN
    eventually(lambda: watched.missed == {Reason.MISSED: 1})


def test_a_pod_that_the_webhook_is_not_called_for_is_not_missed(
    api: FakeApi, watched: Watched
) -> None:
    api.add(*release(selectors={"objectSelector": {"matchLabels": {"team": "a"}}}))
    watched.pods.start()
    eventually(lambda: watched.pods.status().synced)
    put(api, "excluded")
    put(api, "included", team="a")
    eventually(lambda: watched.events)

    assert [event.pod and event.pod.name for event in watched.events] == ["included"]
    assert watched.missed == {Reason.MISSED: 1}


def test_the_configuration_is_read_for_new_missed_pods_only(api: FakeApi, watched: Watched) -> None:
    watched.pods.start()
    eventually(lambda: watched.pods.status().synced)
    put(api, "placed", placed=True)
    put(api)
    eventually(lambda: watched.events)
    for _ in range(3):
        watched.pods.check_due_pods()

    assert len(api.filter_requests("get")) == 1


def test_a_pod_is_checked_again_if_the_configuration_could_not_be_read(
    api: FakeApi, watched: Watched, logs: list[EventDict]
) -> None:
    api.fail("get", 500, "mutatingwebhookconfigurations", message="etcd is away")
    put(api)
    watched.pods.start()
    eventually(lambda: watched.missed == {Reason.MISSED: 1})

    assert [line["event"] for line in logs if "etcd is away" in line.get("reason", "")] == [
        "looking for missed pods failed"
    ]


def test_a_new_pod_is_checked_after_the_grace_period(api: FakeApi, client: Client) -> None:
    watched = Watched(client, PodWatchTiming(grace_period_seconds=1000))
    put(api)
    watched.pods.start()
    eventually(lambda: watched.pods.status().synced)
    watched.pods.check_due_pods()
    watched.pods.stop()

    assert watched.missed == {}


@pytest.mark.parametrize("reason", [Reason.PLAN_NOT_FOUND, Reason.PLAN_AMBIGUOUS])
def test_a_pod_without_a_plan_is_not_missed(api: FakeApi, client: Client, reason: Reason) -> None:
    watched = Watched(client, PodWatchTiming(grace_period_seconds=0, check_interval_seconds=1000))
    watched.plans.found = reason
    put(api)
    watched.pods.start()
    eventually(lambda: watched.pods.status().synced)
    watched.pods.check_due_pods()
    watched.plans.found = PLAN  # a plan created later does not own it
    watched.pods.check_due_pods()
    watched.pods.stop()

    assert watched.missed == {}


def test_an_internal_error_is_logged_and_the_checks_continue(
    api: FakeApi, watched: Watched, logs: list[EventDict]
) -> None:
    watched.plans.error = ZeroDivisionError("boom")
    put(api)
    watched.pods.start()
    eventually(lambda: any(line["log_level"] == "error" for line in logs))
    watched.plans.error = None

    eventually(lambda: watched.missed == {Reason.MISSED: 1})


def test_an_error_of_the_watch_is_reported(api: FakeApi, watched: Watched) -> None:
    api.fail("list", 500, times=inf)
    watched.pods.start()

    eventually(lambda: "answered 500" in watched.pods.status().message)
    assert watched.pods.status().restarts >= 1


@pytest.fixture
def limited(client: Client) -> Iterator[Watched]:
    """Watch convertor pods of the namespaces `target` and `other` only."""
    only_convertors = Installation(limits=Limits(roles=(Role.CONVERTOR,)))
    watched = Watched(client, QUICK, "target other", only_convertors)
    yield watched
    watched.pods.stop()


def test_with_namespaces_only_their_pods_are_requested(api: FakeApi, limited: Watched) -> None:
    put(api)
    put(api, namespace="elsewhere")
    limited.pods.start()
    eventually(lambda: limited.missed == {Reason.MISSED: 1} and api.watching == 2)

    assert {request.path for request in api.filter_requests("list", "watch")} == {
        "/api/v1/namespaces/target/pods",
        "/api/v1/namespaces/other/pods",
    }
    assert limited.pods.status().count == 1


def test_a_list_of_one_namespace_keeps_the_pods_of_the_others(
    api: FakeApi, limited: Watched
) -> None:
    put(api)
    put(api, namespace="other")
    limited.pods.start()
    eventually(lambda: limited.pods.status().count == 2 and api.watching == 2)
    api.fail("watch", 410)
    with api.changed:
        del api.objects["pods", "target", "db-vm-1"]
        del api.objects["pods", "other", "db-vm-1"]
    api.end_watches()
    eventually(lambda: limited.pods.status().count == 1)

    put(api, "db-vm-2")
    put(api, "db-vm-2", namespace="other")
    eventually(lambda: limited.pods.status().count == 3)


def test_a_namespace_that_may_not_be_watched_does_not_hide_pods_of_another(
    api: FakeApi, limited: Watched
) -> None:
    api.forbid("list", "pods", namespace="other")
    limited.pods.start()
    put(api)
    eventually(lambda: limited.missed == {Reason.MISSED: 1})

    status = limited.pods.status()
    assert (status.synced, status.age_seconds) == (False, inf)
    assert "may not list pods in namespace 'other'" in status.message


IMPORTER_LABELS = {"app": "containerized-data-importer", "cdi.kubevirt.io": "importer"}
DISK = PvcRef("target", "disk-0", "uid-disk-0")


def put_importer(api: FakeApi, name: str = "importer-disk-0", **labels: str) -> None:
    owner = owner_reference({"metadata": {"name": DISK.name, "uid": DISK.uid}})
    metadata = {"uid": name, "creationTimestamp": FUTURE, "ownerReferences": [owner]}
    api.add(pod(f"target/{name}", labels=IMPORTER_LABELS | labels, metadata=metadata))


def disk(*, bound: bool) -> Disk:
    pvc = Pvc(*DISK, ref=PlanRef(uid="b277"), vm="vm-1")
    return Disk(pvc, bound=bound)


def test_an_importer_without_labels_is_of_the_plan_of_its_pvc(
    api: FakeApi, watched: Watched, logs: list[EventDict]
) -> None:
    watched.pvcs.disks[DISK] = disk(bound=False)
    put_importer(api)
    watched.pods.start()
    eventually(lambda: watched.events)

    assert watched.pods.status().missed == {(Reason.MISSED, Role.FIRST_CONSUMER): 1}
    (event,) = watched.events
    assert event.message == (
        "importer pod 'target/importer-disk-0' was created without the placement of plan "
        "'konveyor-forklift/db': the webhook was not called, did not know the pod's PVC yet, or "
        "its review failed"
    )
    assert {line["role"] for line in logs if line["log_level"] == "warning"} == {"first-consumer"}


def test_an_importer_that_was_seen_with_an_unbound_disk_is_a_first_consumer_later(
    api: FakeApi, client: Client
) -> None:
    watched = Watched(client, PodWatchTiming(grace_period_seconds=0, check_interval_seconds=1000))
    watched.pvcs.disks[DISK] = disk(bound=False)
    put_importer(api)
    watched.pods.start()
    eventually(lambda: watched.pods.status().count == 1)
    watched.pvcs.disks[DISK] = disk(bound=True)
    eventually(lambda: watched.pods.status().synced)
    watched.pods.check_due_pods()
    watched.pods.stop()

    assert watched.pods.status().missed == {(Reason.MISSED, Role.FIRST_CONSUMER): 1}


@pytest.mark.parametrize("case", ["bound when first seen", "outdated PVCs"])
def test_an_importer_that_may_not_be_a_first_consumer_is_missed_if_both_roles_are_placed(
    api: FakeApi, watched: Watched, case: str
) -> None:
    outdated = case == "outdated PVCs"
    watched.pvcs.disks[DISK] = disk(bound=not outdated)
    if outdated:
        watched.pvcs.state = PvcsStatus(synced=True, age_seconds=MAX_PVCS_AGE_SECONDS)
    put_importer(api, "importer-default")
    watched.pods.start()
    eventually(lambda: watched.pods.status().synced)
    put(api)
    eventually(lambda: watched.missed == {Reason.MISSED: 1})
    watched.plans.found = enforced_plan(pods=tuple(Role))
    put_importer(api, "importer-all")
    eventually(lambda: watched.missed == {Reason.MISSED: 2})

    assert watched.pods.status().missed[Reason.MISSED, Role.IMPORTER] == 1


def test_an_importer_of_another_user_is_not_missed_and_does_not_count(
    api: FakeApi, watched: Watched
) -> None:
    put_importer(api)
    put(api)
    watched.pods.start()
    eventually(lambda: watched.missed == {Reason.MISSED: 1})

    eventually(lambda: watched.pods.status().count == 1)


def test_an_importer_waits_until_the_pvcs_are_known(api: FakeApi, watched: Watched) -> None:
    watched.pvcs.state = PvcsStatus(synced=False, age_seconds=0.0)
    put_importer(api)
    watched.pods.start()
    eventually(lambda: watched.pods.status().synced)
    watched.pods.check_due_pods()
    assert watched.missed == {}

    watched.pvcs.disks[DISK] = disk(bound=False)
    watched.pvcs.state = PvcsStatus(synced=True, age_seconds=0.0)
    eventually(lambda: watched.missed == {Reason.MISSED: 1})


def test_a_pod_that_only_has_a_label_of_a_populator_does_not_count(
    api: FakeApi, watched: Watched
) -> None:
    api.add(pod("target/web", labels={"pvcName": "disk-0"}))
    put(api)
    watched.pods.start()
    eventually(lambda: watched.missed == {Reason.MISSED: 1} and api.watching == 3)

    assert watched.pods.status().count == 1


def test_a_list_of_importers_keeps_the_convertor_pods(api: FakeApi, watched: Watched) -> None:
    put(api)
    put_importer(api, plan="b277")
    watched.pods.start()
    eventually(lambda: watched.pods.status().count == 2 and api.watching == 3)
    api.fail("watch", 410, times=inf)
    with api.changed:
        del api.objects["pods", "target", "importer-disk-0"]
    api.end_watches()

    eventually(lambda: watched.pods.status().count == 1 and bool(watched.missed))
    assert watched.missed == {Reason.MISSED: 1}


def test_an_importer_of_the_same_name_is_another_pod(api: FakeApi, client: Client) -> None:
    watched = Watched(client, PodWatchTiming(grace_period_seconds=0, check_interval_seconds=1000))
    watched.pvcs.disks[DISK] = disk(bound=False)
    put_importer(api)
    watched.pods.start()
    eventually(lambda: watched.pods.status().synced)
    watched.pvcs.disks[DISK] = disk(bound=True)
    owner = owner_reference({"metadata": {"name": DISK.name, "uid": DISK.uid}})
    metadata = {"uid": "second", "creationTimestamp": FUTURE, "ownerReferences": [owner]}
    api.add(pod("target/importer-disk-0", labels=IMPORTER_LABELS, metadata=metadata))
    put(api, "later")
    eventually(lambda: watched.pods.status().count == 2)
    watched.pods.check_due_pods()
    watched.pods.stop()

    assert watched.missed == {Reason.MISSED: 1}
