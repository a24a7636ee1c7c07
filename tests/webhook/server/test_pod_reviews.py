"""Reviews of pods with their PVCs: plan and disk of each, and changes between two reviews."""

import asyncio
import json
from time import perf_counter

import msgspec
import pytest

from tests.support import pvcs
from tests.support.builders import encode_review, minimal_pod, plan
from tests.support.fake_plans import FakePlans
from tests.support.pvcs import importer_pod, prime_pvc, zone_terms
from tests.support.reviews import apply_patch, run_at_once
from webhook.admission.review import ReviewResponse
from webhook.forklift.pvc import PvcObject
from webhook.inventory import PvcsStatus
from webhook.inventory.indexed_pvcs import IndexedPvcs
from webhook.kube.affinity import PREFERRED, REQUIRED
from webhook.kube.objects import Json
from webhook.model import Installation, Outcome, Pvc, Reason, Role
from webhook.server.pod_reviews import PodReviewHandler
from webhook.settings import read

ZONE_B = "REQUIRE nodes(topology.kubernetes.io/zone=b)"
DISK = pvcs.pvc()
SECOND = pvcs.pvc("db-vm-1-disk-1")
PLAN_LABELS = DISK["metadata"]["labels"]


class KnownPvcs(IndexedPvcs):
    """PVCs that a test adds."""

    def __init__(self, *known: Json) -> None:
        super().__init__()
        for pvc in known:
            self.put(pvc)

    def put(self, pvc: Json) -> Pvc:
        found = msgspec.convert(pvc, PvcObject).to_pvc()
        self._index.put(found)
        return found

    def bind(self, pvc: Json, zone: str) -> None:
        bound = self.put(pvcs.pvc(pvc["metadata"]["name"], volume=f"pv-{zone}"))
        self._index.set_node_terms(bound, zone_terms(zone))

    def status(self) -> PvcsStatus:
        return PvcsStatus(synced=True, age_seconds=0.0)

    def start(self) -> None: ...

    def stop(self) -> None: ...


def handler_of(known: KnownPvcs, **settings: str) -> PodReviewHandler:
    annotations = {"affinity": ZONE_B, "pods": "all"} | settings
    found = read(plan(annotations=annotations), Installation())
    return PodReviewHandler(FakePlans(found), Installation(), known)


def labelled(pvc: Json, **spec: str) -> Json:
    """Return the importer that CDI 1.63 and later create."""
    pod = importer_pod(pvc)
    pod["metadata"]["labels"] = PLAN_LABELS | pod["metadata"]["labels"]
    pod["spec"] |= spec
    return pod


def review(handler: PodReviewHandler, pod: Json) -> ReviewResponse:
    return run_at_once(handler(encode_review(pod, namespace=pod["metadata"]["namespace"]), 0))


async def review_while(handler: PodReviewHandler, pod: Json, seconds: float) -> ReviewResponse:
    body = encode_review(pod, namespace=pod["metadata"]["namespace"])
    return await handler(body, perf_counter() + seconds)


# The PVC is not known yet


def test_an_importer_that_belongs_with_other_disks_waits_until_its_pvc_is_known() -> None:
    known = KnownPvcs(DISK)
    known.bind(DISK, "a")

    async def arrive_later() -> ReviewResponse:
        asyncio.get_running_loop().call_later(0.05, known.put, SECOND)
        return await review_while(handler_of(known, disks="together"), labelled(SECOND), 10)

    response = asyncio.run(arrive_later())

    assert response.decision.role is Role.FIRST_CONSUMER
    patched = apply_patch(labelled(SECOND), json.loads(response.body)["response"])
    on_nodes = patched["spec"]["affinity"]["nodeAffinity"]
    assert on_nodes[REQUIRED] == {"nodeSelectorTerms": zone_terms("a")}


def test_an_importer_whose_pvc_does_not_arrive_in_time_is_placed_by_itself() -> None:
    handler = handler_of(KnownPvcs(), disks="together")

    started = perf_counter()
    decision = asyncio.run(review_while(handler, labelled(SECOND), 0.2)).decision

    assert 0.1 < perf_counter() - started < 0.2
    assert (decision.reason, decision.role) == (Reason.PLACED, Role.FIRST_CONSUMER)


@pytest.mark.parametrize(
    ("settings", "pod"),
    [
        ({"disks": "any"}, labelled(SECOND)),
        ({"disks": "together", "pods": "convertor"}, labelled(SECOND)),
        ({"disks": "together"}, labelled(SECOND, nodeName="n1")),
        ({"disks": "together"}, importer_pod(SECOND)),
        ({"disks": "together"}, labelled(DISK)),
    ],
)
def test_no_other_pod_waits_for_a_pvc(settings: dict[str, str], pod: Json) -> None:
    handler = handler_of(KnownPvcs(DISK), **settings)
    body = encode_review(pod, namespace="vms")

    assert run_at_once(handler(body, perf_counter() + 10))


# A second review of the same pod, after the change of another webhook


def test_a_placed_importer_does_not_follow_a_disk_that_is_bound_in_between() -> None:
    old = "2020-08-01T08:00:00Z"
    first = pvcs.pvc(created=old)
    known = KnownPvcs(first, SECOND)
    handler = handler_of(known, disks="together")
    pod = importer_pod(first)
    placed = apply_patch(pod, json.loads(review(handler, pod).body)["response"])
    assert REQUIRED in placed["spec"]["affinity"]["nodeAffinity"]

    known.bind(SECOND, "a")
    again = review(handler, placed).decision

    assert (again.outcome, again.reason) == (Outcome.UNCHANGED, Reason.ALREADY_PLACED)


def test_an_importer_keeps_the_rules_of_its_first_role_when_its_pvc_is_bound_in_between() -> None:
    known = KnownPvcs()
    known.bind(DISK, "a")
    pod = importer_pod(DISK)
    placed = apply_patch(pod, json.loads(review(handler_of(known), pod).body)["response"])
    assert list(placed["spec"]["affinity"]["nodeAffinity"]) == [PREFERRED]

    behind = handler_of(KnownPvcs(DISK))

    assert review(behind, placed).decision.patch == []


# A pod with a preset node


def test_the_node_selector_of_a_pod_with_a_preset_node_stays_as_it_was_sent() -> None:
    pod = labelled(DISK, nodeName="n1")
    pod["spec"]["nodeSelector"] = {"cpu-cores": "16+"}

    response = review(handler_of(KnownPvcs(DISK), labels="team=a"), pod)

    patched = apply_patch(pod, json.loads(response.body)["response"])
    assert patched["metadata"]["labels"]["team"] == "a"
    assert patched["spec"] == pod["spec"]


# Pods that lead to no disk


@pytest.mark.parametrize(
    "pod",
    [
        importer_pod(prime_pvc(pvcs.pvc(namespace="elsewhere"))),
        importer_pod(
            prime_pvc(DISK) | {"metadata": prime_pvc(DISK)["metadata"] | {"namespace": "x"}}
        ),
        importer_pod(DISK | {"metadata": DISK["metadata"] | {"uid": "created-again"}}),
        importer_pod(DISK | {"metadata": DISK["metadata"] | {"name": "another"}}),
    ],
    ids=["prime PVC elsewhere", "prime PVC moved", "PVC created again", "other name"],
)
def test_an_importer_of_another_pvc_belongs_to_no_plan(pod: Json) -> None:
    decision = review(handler_of(KnownPvcs(DISK)), pod).decision

    assert (decision.outcome, decision.plan, decision.patch) == (Outcome.SKIPPED, None, [])


@pytest.mark.parametrize("name", ["web", "populate-x", f"populate-{DISK['metadata']['uid']}"])
def test_a_pod_of_another_user_with_the_label_of_a_populator_is_skipped(name: str) -> None:
    metadata = {"name": name, "namespace": "vms", "labels": {"pvcName": "data"}}
    pod = {"metadata": metadata, "spec": {"containers": [{"name": "main"}]}}

    assert review(handler_of(KnownPvcs(DISK)), pod).decision.outcome is Outcome.SKIPPED


def test_pods_with_other_containers_share_no_response_if_the_plan_changes_them() -> None:
    found = read(plan(annotations={"resources": "requests.memory=10Gi"}), Installation())
    handler = PodReviewHandler(FakePlans(found), Installation())

    def changed_paths(limit: str) -> set[str]:
        resources = {"limits": {"memory": limit}}
        pod = minimal_pod(containers=[{"name": "virt-v2v", "resources": resources}])
        response = run_at_once(handler(encode_review(pod, namespace="vms"), 0))
        start = "/spec/containers/0/resources/"
        paths = [each["path"] for each in response.decision.patch]
        return {path.removeprefix(start) for path in paths if path.startswith(start)}

    assert changed_paths("8Gi") == {"requests", "limits/memory"}
    assert changed_paths("16Gi") == {"requests"}
