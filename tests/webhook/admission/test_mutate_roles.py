"""Reviews of pods of every role: who they belong to, what they get, and the response."""

import asyncio
import json
from copy import deepcopy
from time import perf_counter
from typing import Any

import msgspec
import pytest

from tests.support.builders import decoded_request, encode_review
from tests.support.fake_plans import FakePlans
from tests.support.migration_pods import PLAN_UID, PODS, disk_of, kind_of
from tests.support.reviews import apply_patch, run_at_once
from webhook.admission.mutate import decide, identify
from webhook.admission.review import encode
from webhook.inventory import NoPvcs
from webhook.kube.objects import Json
from webhook.model import (
    Decision,
    Disk,
    Disks,
    Installation,
    MigrationPod,
    Mode,
    OnError,
    Outcome,
    Plan,
    Problem,
    PvcRef,
    Reason,
    Request,
    Role,
    Settings,
    SiblingDisk,
)
from webhook.server.pod_reviews import PodReviewHandler

ALL = tuple(Role)
IMPORTER = "cdi-1.62-importer-vddk-warm-forklift-2.10"
LABELLED = "cdi-1.66-importer-vddk-warm-forklift-2.12"
POPULATOR = "forklift-2.10-populator-ovirt-wffc"
CONSUMER = "forklift-2.12-pvcinit-vsphere-no-settings"
INSPECTION = "forklift-2.12-deep-inspection-no-settings"
SELECTOR = {"disk": "nvme"}
WAITS = [SiblingDisk("disk-0", bound=False)]


def plan(**settings: Any) -> Plan:
    return Plan("konveyor-forklift", "db", PLAN_UID, 3, "target", Settings(**settings))


class FakePvcs(NoPvcs):
    """The PVC of one printed pod, whose labels name its plan."""

    def __init__(self, name: str = IMPORTER, **changes: Any) -> None:
        kind = kind_of(PODS[name])
        assert kind
        assert kind.pvc
        self.disk: Disk = disk_of(kind.pvc)._replace(age_seconds=60.0, **changes)
        self.pvc = kind.pvc
        self.searches: list[PvcRef] = []

    def find_disk(self, pvc: PvcRef) -> Disk | None:
        self.searches.append(pvc)
        return self.disk if pvc == self.pvc else None


NO_DISK = FakePvcs()
NO_DISK.pvc = PvcRef("", "", "")


def request_of(name: str, **changes: str) -> Request:
    pod = PODS[name]
    return decoded_request(pod, **{"namespace": pod["metadata"]["namespace"]} | changes)


def decide_on(
    name: str,
    found: Plan | None = None,
    pvcs: FakePvcs = NO_DISK,
    installation: Installation | None = None,
    *,
    dry_run: bool = False,
) -> Decision:
    installation = installation or Installation()
    request = msgspec.structs.replace(request_of(name), dry_run=dry_run)
    pod = identify(request, installation, pvcs.find_disk)
    if isinstance(pod, Decision):
        return pod
    owner = found or plan(node_selector=SELECTOR, pods=ALL)
    return decide(request, pod, owner, installation)


@pytest.mark.parametrize(
    ("name", "role"),
    [
        (LABELLED, Role.FIRST_CONSUMER),
        (CONSUMER, Role.FIRST_CONSUMER),
        (INSPECTION, Role.INSPECTION),
        ("forklift-2.12-populator-ovirt-immediate", Role.POPULATOR),
    ],
)
def test_a_pod_of_every_role_is_placed(name: str, role: Role) -> None:
    decision = decide_on(name)

    assert (decision.outcome, decision.reason) == (Outcome.PATCHED, Reason.PLACED)
    assert decision.role is role


def test_an_importer_is_placed_by_the_plan_of_its_pvc() -> None:
    bound = FakePvcs(bound=True)

    assert decide_on(IMPORTER, pvcs=FakePvcs()).role is Role.FIRST_CONSUMER
    assert decide_on(IMPORTER, pvcs=bound).role is Role.IMPORTER
    assert bound.searches == [bound.pvc]


@pytest.mark.parametrize("name", [IMPORTER, "cdi-1.63-importer-http-no-forklift", POPULATOR])
def test_a_pod_that_leads_to_no_plan_is_skipped_without_a_warning(name: str) -> None:
    assert decide_on(name) == Decision(
        Outcome.SKIPPED,
        Reason.NOT_A_CONVERTOR_POD,
        "neither its labels nor those of a known PVC name a plan",
    )


@pytest.mark.parametrize("name", [LABELLED, CONSUMER, INSPECTION])
def test_a_role_that_the_plan_does_not_select_is_unchanged(name: str) -> None:
    decision = decide_on(name, plan(node_selector=SELECTOR, pods=(Role.CONVERTOR,)))

    assert (decision.outcome, decision.reason) == (Outcome.UNCHANGED, Reason.ROLE_NOT_SELECTED)
    assert decision.message.startswith(
        "the settings of plan 'konveyor-forklift/db' apply to convertor pods, this one is "
    )
    assert decision.warnings == []


@pytest.mark.parametrize("name", sorted(PODS))
def test_a_plan_without_settings_changes_convertor_pods_only(name: str) -> None:
    decision = decide_on(name, plan(pods=ALL))

    assert decision.role is Role.CONVERTOR or decision.patch == []


def test_deep_inspections_are_in_the_namespace_of_the_plan() -> None:
    request = request_of(INSPECTION, namespace="target")
    pod = identify(request, Installation(), NO_DISK.find_disk)
    assert isinstance(pod, MigrationPod)

    decision = decide(request, pod, plan(node_selector=SELECTOR, pods=ALL), Installation())

    assert decision.reason is Reason.NOT_TARGET_NAMESPACE
    assert decision.message == (
        "plan 'konveyor-forklift/db' has its deep inspections in its own namespace, so this pod in "
        "'target' is not one of its pods and is not placed"
    )


TOGETHER = plan(node_selector=SELECTOR, pods=ALL, disks=Disks.TOGETHER)
REFUSAL = (
    "plan 'konveyor-forklift/db' keeps the disks of a VM together: the importer of disk "
    "'high-io-migration-vm-1630-p5tzr' waits until an older disk of the same VM is bound"
)


def waiting(**changes: Any) -> Decision:
    pvcs = FakePvcs(siblings=WAITS, is_first=False)
    return decide_on(IMPORTER, TOGETHER, pvcs, **changes)


def test_an_importer_that_waits_for_another_disk_is_refused_so_that_cdi_tries_again() -> None:
    decision = waiting()
    response = json.loads(encode("u-1", decision))["response"]

    assert (decision.outcome, decision.reason) == (Outcome.REFUSED, Reason.WAITING_FOR_DISK)
    assert response["allowed"] is False
    assert response["status"] == {"code": 429, "reason": "WaitingForDisk", "message": REFUSAL}


def test_a_dry_run_is_not_refused() -> None:
    decision = waiting(dry_run=True)

    assert (decision.outcome, decision.mode) == (Outcome.WOULD_REFUSE, Mode.ENFORCE)
    assert decision.warnings == [
        f"dry run, nothing is refused: the pod would be refused for now: {REFUSAL}"
    ]
    assert json.loads(encode("u-1", decision))["response"]["allowed"] is True


def test_mode_audit_does_not_refuse() -> None:
    decision = waiting(installation=Installation(mode=Mode.AUDIT), dry_run=True)

    assert (decision.outcome, decision.mode) == (Outcome.WOULD_REFUSE, Mode.AUDIT)
    assert decision.warnings == [
        f"mode audit, nothing is changed: the pod would be refused for now: {REFUSAL}"
    ]


def test_mode_off_does_not_refuse() -> None:
    assert waiting(installation=Installation(mode=Mode.OFF)).outcome is Outcome.UNCHANGED


def test_only_convertor_pods_are_denied_for_a_problem() -> None:
    deny = Installation(on_error=OnError.DENY)
    wrong = plan(node_selector=SELECTOR, pods=ALL, problems=[Problem("Plan db", "wrong")])

    importer = decide_on(IMPORTER, wrong, FakePvcs(bound=True), deny)
    assert (importer.outcome, importer.reason) == (Outcome.PATCHED, Reason.SETTINGS_INVALID)
    assert decide_on("v2.12-vsphere-no-settings", wrong, installation=deny).outcome is (
        Outcome.DENIED
    )


def review(name: str, pvcs: FakePvcs, plans: FakePlans) -> Json:
    pod = PODS[name]
    body = encode_review(deepcopy(pod), namespace=pod["metadata"]["namespace"])
    handler = PodReviewHandler(plans, Installation(), pvcs)
    response: Json = json.loads(run_at_once(handler(body, 0)).body)["response"]
    return response


def test_the_server_places_an_importer_by_its_pvc_without_a_request() -> None:
    plans = FakePlans(plan(labels={"team": "a"}, pods=ALL))

    response = review(IMPORTER, FakePvcs(bound=True), plans)

    labels = apply_patch(PODS[IMPORTER], response)["metadata"]["labels"]
    assert labels["team"] == "a"
    assert labels["convertor.forklift.konveyor.io/role"] == "importer"
    assert plans.fetches == []


def test_an_import_of_another_user_is_answered_without_a_look_up_of_plans() -> None:
    plans = FakePlans(Reason.PLAN_NOT_FOUND)
    plans.error = AssertionError("looked up")

    assert review(IMPORTER, NO_DISK, plans) == {"uid": "u-1", "allowed": True}


def test_the_importer_of_a_known_disk_does_not_wait_for_a_plan_that_was_deleted() -> None:
    plans = FakePlans(Reason.PLAN_NOT_FOUND)

    response = review(IMPORTER, FakePvcs(), plans)

    assert response["allowed"] is True
    assert "warnings" not in response
    assert plans.fetches == []


def test_an_importer_waits_for_plans_that_are_not_read_yet() -> None:
    plans = FakePlans(Reason.PLANS_NOT_SYNCED, plan(labels={"team": "a"}, pods=ALL))
    pod = PODS[IMPORTER]
    body = encode_review(deepcopy(pod), namespace=pod["metadata"]["namespace"])
    handler = PodReviewHandler(plans, Installation(), FakePvcs())

    decision = asyncio.run(handler(body, perf_counter() + 1)).decision

    assert decision.reason is Reason.PLACED
    assert len(plans.fetches) == 1
