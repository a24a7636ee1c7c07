"""The audit reports for every pod what a review in mode enforce would do."""

import json
from typing import Any

import jsonpatch
import msgspec
import pytest
from structlog.testing import capture_logs

from tests.support import builders, pvcs
from tests.support.builders import PREFIX, minimal_pod
from tests.system.guide.forklift import Generation, convertor_pod
from tests.system.guide.reviews import node_values, review_row, stored_plan
from tests.system.guide.rows import ROWS, Form, Row
from webhook.forklift.pvc import PvcObject
from webhook.inventory.pvc_index import PvcIndex
from webhook.kube.objects import Json
from webhook.kube.webhook_selectors import WebhookSelectors
from webhook.model import (
    ClusterState,
    ConvertorProfile,
    Installation,
    Limits,
    MigrationPod,
    Mode,
    OnError,
    Outcome,
    PvcRef,
    Reason,
    Role,
    Settings,
)
from webhook.placement import place
from webhook.placement.missed import EnforcementWindow
from webhook.reports.audit import AuditInput, AuditReport, build_report
from webhook.reports.exclusions import InstalledWebhooks
from webhook.settings import read
from webhook.settings.mode import Origin

WRITTEN, AFTER = "2026-08-01T08:00:00Z", "2026-08-01T09:00:00Z"
AUDIT = Installation(mode=Mode.AUDIT)
INSTALLED = InstalledWebhooks([WebhookSelectors("installed")])


def plan(name: str = "db", namespace: str = "mtv", **settings: Any) -> Json:
    return builders.plan(name, namespace, metadata={"creationTimestamp": WRITTEN}, **settings)


def pod(name: str, plan_name: str = "db", *, annotations: Json | None = None, **spec: Any) -> Json:
    metadata = {"namespace": "vms", "name": name, "creationTimestamp": AFTER}
    return minimal_pod(
        {"plan": f"uid-{plan_name}"}, metadata=metadata | {"annotations": annotations or {}}, **spec
    )


def audited(plans: list[Json], *pods: Json, **more: Any) -> AuditReport:
    installation = more.pop("installation", Installation())
    with capture_logs():
        return build_report(AuditInput(plans, list(pods), **more), installation)


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_the_audit_reports_the_patch_of_a_review(row: Row) -> None:
    generation = Generation.V2_12
    plan_object = stored_plan(row, Form.ANNOTATIONS, generation)
    before = convertor_pod(generation, plan_object)
    placed = review_row(row, generation, plan_object).pod
    cluster = ClusterState(node_values(row))

    (found,) = audited([plan_object], before, cluster=cluster, installation=AUDIT).plans
    assert jsonpatch.apply_patch(before, found.pods[0].patch) == placed
    assert found.change_count == 1
    after = audited([plan_object], placed, cluster=cluster).plans[0].pods[0]
    assert (after.differs, after.patch) == (False, [])


def test_a_plan_without_pods_is_audited_with_its_next_pod() -> None:
    (found,) = audited([plan(labels="batch=1")]).plans

    assert (found.plan, found.generation, found.target_namespace) == ("mtv/db", 3, "vms")
    assert found.settings == "labels batch=1"
    assert [(each.name, each.changes) for each in found.pods] == [
        ("vms", "labels app=virt-v2v,forklift.app/plan=db,batch=1")
    ]
    assert (found.has_pods, found.is_enforced, found.change_count) == (False, False, 1)


def test_an_enforced_plan_has_no_change_for_its_next_pod() -> None:
    plans = [plan(labels="batch=1")]

    assert audited(plans, webhooks=INSTALLED).findings.change == 0
    assert audited(plans, webhooks=INSTALLED, installation=AUDIT).findings.change == 1
    assert audited(plans, pod("db-vm-1"), webhooks=INSTALLED).findings.change == 1


@pytest.mark.parametrize(
    ("installation", "mode", "origin"),
    [
        (Installation(), Mode.OFF, Origin.PLAN),
        (Installation(plan_modes=False), Mode.ENFORCE, Origin.INSTALLATION),
        (
            Installation(plan_modes=False, namespace_modes={"vms": Mode.AUDIT}),
            Mode.AUDIT,
            Origin.NAMESPACE,
        ),
    ],
)
def test_the_mode_has_its_origin(installation: Installation, mode: Mode, origin: Origin) -> None:
    (found,) = audited([plan(mode="off", labels="batch=1")], installation=installation).plans

    assert (found.mode, found.mode_origin) == (mode, origin)
    assert found.pods[0].outcome is Outcome.PATCHED  # as enforce would have it, whatever the mode


def test_every_problem_has_its_location() -> None:
    found = audited([plan(affinity="REQIRE pods(a=b) on node", labels="a=b,c"), plan("fine")])

    assert [problem.where for problem in found.plans[0].problems] == [
        f"Plan mtv/db annotation {PREFIX}/labels entry 2",
        f"Plan mtv/db annotation {PREFIX}/affinity line 1 column 1",
    ]
    assert found.findings.problem == 2


def test_settings_beyond_the_limits_are_problems_of_their_own_kind() -> None:
    plans = [plan(labels="k8s-app=x,a=b,c", tolerations="node-role.kubernetes.io/control-plane")]

    found = audited(plans)
    assert [problem.beyond_limits for problem in found.plans[0].problems] == [True, False, True]
    assert found.plans[0].settings == "labels a=b"
    assert (found.findings.problem, found.findings.limit) == (3, 2)


@pytest.mark.parametrize(
    ("installation", "built_in"),
    [
        (Installation(), True),
        (Installation(limits=Limits(roles=(Role.CONVERTOR,))), True),
        (Installation(limits=Limits(labels=("team",))), False),
        (Installation(namespace_limits={"mtv": Limits(roles=())}), False),
    ],
)
def test_the_limits_are_built_in_unless_the_installation_has_some(
    installation: Installation, *, built_in: bool
) -> None:
    assert audited([], installation=installation).has_built_in_limits is built_in


def test_the_settings_of_a_plan_are_without_what_the_installation_gives() -> None:
    classes = ClusterState(priority_classes={"high"})
    installation = Installation(
        enforced=Settings(node_selector={"migration": "allowed"}),
        convertor=ConvertorProfile(runtime_class="kata"),
        namespace_convertors={"vms": ConvertorProfile(runtime_class="gvisor")},
        limits=Limits(priority_classes=("high",)),
    )
    plan_object = plan(
        resources="limits.memory=8Gi",
        priority_class="high",
        affinity="SPREAD pods(a=b) on node",
        annotations={"resources.first-consumer": "requests.cpu=2"},
    )

    found = audited([plan_object], installation=installation, cluster=classes)
    assert found.plans[0].settings == (
        "topologySpreadConstraints kubernetes.io/hostname; priorityClassName high; containers "
        "resources.limits.memory=8Gi; first-consumer: containers resources.requests.cpu=2"
    )
    assert "nodeSelector migration=allowed" in found.plans[0].pods[0].changes
    assert [(row.name, row.value, row.source) for row in found.given] == [
        ("node-selector", "migration=allowed", "installation enforced.nodeSelector"),
        ("runtime-class", "kata", "installation convertor.runtimeClass"),
        ("runtime-class", "gvisor", "installation convertor.namespaces.vms.runtimeClass"),
    ]


def test_a_denial_is_a_change() -> None:
    installation = Installation(on_error=OnError.DENY)
    (found,) = audited([plan(labels="batch")], pod("a"), installation=installation).plans

    assert (found.pods[0].outcome, found.pods[0].changes) == (Outcome.DENIED, "")
    assert found.change_count == 1


def test_a_pod_that_lacks_only_the_annotation_does_not_differ() -> None:
    selecting = plan(node_selector="disk=nvme")
    installation = Installation(identity_labels=False)
    has_it = pod("a", nodeSelector={"disk": "nvme"})

    (found,) = audited([selecting], has_it, installation=installation).plans

    assert (found.pods[0].outcome, found.pods[0].differs) == (Outcome.PATCHED, False)


def test_pods_without_a_known_plan_have_a_reason() -> None:
    nameless = pod("nameless")
    del nameless["metadata"]["labels"]["plan"]

    found = audited([plan()], pod("gone", "other"), nameless)

    assert [(each.name, each.reason) for each in found.pods_without_plan] == [
        ("vms/gone", Reason.PLAN_NOT_FOUND),
        ("vms/nameless", Reason.NO_PLAN_REFERENCE),
    ]


def test_missed_pods_are_found_only_if_a_webhook_is_installed() -> None:
    plans, mark = [plan(labels="batch=1")], {f"{PREFIX}/placement": "{}"}
    pods = [pod("a"), pod("b", annotations=mark, nodeName="alpha")]

    known = audited(plans, *pods, window=EnforcementWindow(), webhooks=INSTALLED)
    unknown = audited(plans, *pods)

    assert [(each.name, each.missed, each.node) for each in known.plans[0].pods] == [
        ("vms/a", Reason.MISSED, ""),
        ("vms/b", Reason.CHANGED_BACK, "alpha"),
    ]
    assert known.findings.missed == 2
    assert unknown.findings.missed == 0


@pytest.mark.parametrize("since", [None, "2026-08-01T09:00:01Z", "9999"])
def test_a_placed_pod_does_not_extend_the_window_to_before_the_settings_were_changed(
    since: str | None,
) -> None:
    placed = pod("z", annotations={f"{PREFIX}/placement": "{}"})
    placed["metadata"]["labels"] |= {"app": "virt-v2v", "forklift.app/plan": "db", "batch": "1"}

    found = audited(
        [plan(labels="batch=1")],
        pod("a"),
        placed,
        window=EnforcementWindow(since) if since else None,
    )

    assert [each.missed for each in found.plans[0].pods] == [None, None]


def test_the_report_does_not_depend_on_the_order_of_the_input() -> None:
    plans = [plan("b"), plan("a"), plan("z", "early")]
    pods = [pod("2", "a"), pod("1", "a"), pod("stray-2", "x"), pod("stray-1", "x")]
    one, other = audited(plans, *pods), audited(plans[::-1], *pods[::-1])

    assert json.dumps([each.plan for each in one.plans]) == '["early/z", "mtv/a", "mtv/b"]'
    assert one == other


DISK = pvcs.pvc()
SIBLING = pvcs.pvc("db-vm-1-disk-1", volume="pv-1")


def importer(of: Json = DISK, **changes: Any) -> Json:
    """Return an importer whose labels name no plan."""
    labels = {"app": "containerized-data-importer", "cdi.kubevirt.io": "importer"}
    owners = [pvcs.owner_reference(of)]
    metadata = {"uid": "u", "creationTimestamp": AFTER, "ownerReferences": owners}
    return builders.pod(
        "vms/importer-disk-0",
        labels=labels | changes.pop("labels", {}),
        metadata=metadata | changes,
    )


def disks(*objects: Json, age: float = 3600.0) -> PvcIndex:
    index = PvcIndex(lambda _created: age)
    for each in objects:
        pvc = msgspec.convert(each, PvcObject).to_pvc()
        index.put(pvc)
        if pvc.volume:
            index.set_node_terms(pvc, pvcs.zone_terms("a"))
    return index


def roles_of(report: AuditReport) -> list[tuple[Role | None, Reason]]:
    return [(each.role, each.reason) for plan in report.plans for each in plan.pods]


def test_an_importer_without_labels_is_of_the_plan_of_its_pvc() -> None:
    found = audited([plan(labels="batch=1")], importer(), find_disk=disks(DISK).find_disk)

    assert roles_of(found) == [(Role.FIRST_CONSUMER, Reason.PLACED)]


def test_an_import_of_another_user_is_left_out() -> None:
    found = audited([plan()], importer(), builders.pod("vms/web", labels={"pvcName": "web"}))

    assert not found.plans[0].has_pods
    assert found.pods_without_plan == []


def test_a_placed_importer_keeps_its_role_though_its_disk_is_bound() -> None:
    bound = pvcs.pvc(volume="pv-0")
    role = {"labels": {f"{PREFIX}/role": "first-consumer"}}
    report = [plan(labels="batch=1")], importer(bound), importer(bound, name="importer-b", **role)

    found = audited(*report, find_disk=disks(bound).find_disk)

    assert roles_of(found) == [
        (Role.FIRST_CONSUMER, Reason.PLACED),
        (Role.IMPORTER, Reason.ROLE_NOT_SELECTED),
    ]


def test_a_populator_with_a_node_is_audited_as_one_that_was_created_for_it() -> None:
    labels = {"pvcName": "disk", "plan": "uid-db"}
    populators = [
        builders.pod("vms/populate-1", "alpha", labels=labels),
        builders.pod("vms/populate-2", labels=labels),
    ]

    found = audited([plan(pods="all", node_selector="disk=nvme", labels="batch=1")], *populators)

    changes = [each.changes for each in found.plans[0].pods]
    assert ["affinity" in each for each in changes] == [False, True]


def test_a_scheduled_convertor_pod_is_audited_like_a_new_one() -> None:
    found = audited([plan(node_selector="disk=nvme")], pod("a", nodeName="alpha"))

    assert "nodeSelector disk=nvme" in found.plans[0].pods[0].changes


def test_a_first_consumer_that_was_placed_beside_another_disk_does_not_differ() -> None:
    plan_object = plan(pods="all", disks="together", node_selector="disk=nvme")
    index = disks(DISK, SIBLING)
    (before,) = audited([plan_object], importer(), find_disk=index.find_disk).plans[0].pods
    plan_ = read(plan_object, Installation())
    disk = index.find_disk(PvcRef("vms", DISK["metadata"]["name"], DISK["metadata"]["uid"]))
    first = MigrationPod(Role.FIRST_CONSUMER, disk=disk)
    placed = place(importer(), plan_, Installation(), ClusterState(), first).pod

    (after,) = audited([plan_object], placed, find_disk=index.find_disk).plans[0].pods

    assert before.differs
    assert (after.differs, after.reason) == (False, Reason.ALREADY_PLACED)


def test_an_importer_that_would_be_refused_is_audited_as_if_it_were_placed() -> None:
    index = disks(DISK, pvcs.pvc("a-disk", created="2026-08-01T08:59:59Z"), age=60.0)
    plan_object = plan(pods="all", disks="together", labels="batch=1")

    (found,) = audited([plan_object], importer(), find_disk=index.find_disk).plans[0].pods

    assert (found.outcome, found.reason) == (Outcome.PATCHED, Reason.PLACED)


def test_a_running_importer_was_missed_if_its_disk_is_not_bound() -> None:
    plans, known = [plan(labels="batch=1")], {"window": EnforcementWindow(), "webhooks": INSTALLED}

    for of, missed in ((DISK, Reason.MISSED), (pvcs.pvc(volume="pv-0"), None)):
        found = audited(plans, importer(of), find_disk=disks(of).find_disk, **known)
        assert found.plans[0].pods[0].missed is missed


def test_pods_of_other_roles_are_not_duplicates_of_a_convertor_pod() -> None:
    identity = {"plan": "uid-db", "migration": "m", "vmID": "vm-1"}
    apps = ("virt-v2v", "consumer", "virt-v2v-inspection")
    pods = [builders.pod(f"vms/{app}", labels=identity | {"forklift.app": app}) for app in apps]

    assert audited([plan()], *pods).findings.duplicate == 0


@pytest.mark.parametrize(
    ("settings", "summary"),
    [
        ({"pods": "convertor,importer", "labels": "a=1"}, "pods convertor,importer; labels a=1"),
        ({"pods": "importer", "labels": "a=1"}, "pods importer; labels a=1"),
        ({"disks": "together"}, "disks together"),
        (
            {"pods": "all", "annotations": {"labels.importer": "a=2", "labels": "a=1"}},
            f"pods {','.join(Role)}; labels a=1; importer: labels a=2",
        ),
        ({"annotations": {"labels.importer": "a=2"}}, ""),
    ],
)
def test_the_settings_have_the_roles_that_they_apply_to(settings: Any, summary: str) -> None:
    (found,) = audited([plan(**settings)]).plans

    assert found.settings == summary


def test_problems_are_reported_if_the_settings_do_not_apply_to_convertor_pods() -> None:
    (found,) = audited([plan(pods="importer", labels="a=b,c")]).plans

    assert [problem.where for problem in found.problems] == [
        f"Plan mtv/db annotation {PREFIX}/labels entry 2"
    ]
