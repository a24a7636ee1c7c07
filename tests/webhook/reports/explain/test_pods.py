"""The convertor pods of a plan, and the one that Forklift would create next."""

import json
from typing import Any

import msgspec
import pytest

from tests.support.builders import convertor_pod, node, plan, pod
from tests.support.paths import DATA
from webhook.kube.objects import Json
from webhook.kube.scheduler.resources import requested
from webhook.model import ConvertorProfile, Installation, Limits, Mode, Settings
from webhook.reports.explain import ClusterObjects, explain
from webhook.reports.explain.context import read_context
from webhook.reports.explain.model import PodRow
from webhook.reports.explain.pods import build_new_pod, recreate, select_pods
from webhook.reports.model_pod import build_model_pod

PLACED = {"convertor.forklift.konveyor.io/placement": "{}"}
NOWHERE = ClusterObjects([], [], [], [])
NOT_PLACED = "not placed by the webhook"
CLUSTER = ClusterObjects([node("a")], [], [], [])


def list_rows(pods: list[Json], a_plan: Json | None = None, **installation: Any) -> list[PodRow]:
    cluster = ClusterObjects([node("a")], pods, [], [])
    return explain(a_plan or plan(), Installation(**installation), cluster).pods


def with_labels(**labels: str) -> Json:
    keys = {"plan_name": "plan-name", "plan_namespace": "plan-namespace", "of": "forklift.app/plan"}
    named = {keys.get(key, key): value for key, value in labels.items()}
    return pod("vms/p", "a", {"forklift.app": "virt-v2v", **named})


@pytest.mark.parametrize(
    ("found", "is_its"),
    [
        (with_labels(plan="uid-db"), True),
        (with_labels(plan="uid-other", plan_name="db"), False),
        (with_labels(plan_name="db", plan_namespace="konveyor-forklift"), True),
        (with_labels(plan_name="db", plan_namespace="elsewhere"), False),
        (with_labels(plan_name="web", plan_namespace="konveyor-forklift"), False),
        (with_labels(of="db"), True),
        (with_labels(), False),
        (pod("vms/p", "a", {"plan": "uid-db"}), False),
        (pod("vms/p", "a", {"forklift.app": "virt-v2v-inspection", "plan": "uid-db"}), False),
        (pod("other/p", "a", {"forklift.app": "virt-v2v", "plan": "uid-db"}), False),
    ],
)
def test_pods_of_a_plan_are_found_by_labels_in_the_target_namespace(
    found: Json, is_its: bool
) -> None:
    context = read_context(plan(), Installation(), NOWHERE)
    assert select_pods(context.plan, [found]) == ([found] if is_its else [])


def test_pods_are_listed_by_age_with_their_node_or_message() -> None:
    gated = convertor_pod("gated")
    gated["status"]["conditions"] = [
        {"type": "Ready", "status": "False", "message": "no"},
        {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"},
    ]
    done = convertor_pod("done", "a") | {"status": {"phase": "Succeeded"}}
    running = convertor_pod("running", "a")
    running["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    waiting = convertor_pod("waiting", message="0/1 nodes are available: 1 Insufficient cpu.")
    bound = convertor_pod("bound", "a") | {
        "status": {"conditions": [{"type": "PodScheduled", "status": "True"}]}
    }
    assert list_rows([running, waiting, gated, done, bound]) == [
        PodRow("bound", "vms", "", "a", NOT_PLACED),
        PodRow("done", "vms", "Succeeded", "a", NOT_PLACED),
        PodRow("gated", "vms", "Pending", "", NOT_PLACED, "SchedulingGated", 1),
        PodRow(
            *("waiting", "vms", "Pending", "", NOT_PLACED),
            *("0/1 nodes are available: 1 Insufficient cpu.", 1),
        ),
        PodRow("running", "vms", "Running", "a", NOT_PLACED),
    ]


def test_only_the_first_pending_pods_are_evaluated() -> None:
    nodes = [
        each.fitting_nodes for each in list_rows([convertor_pod(f"w{i:02}") for i in range(12)])
    ]
    assert nodes == [1] * 10 + [None] * 2


def marked(pod: Json, generation: int = 3) -> Json:
    marker = {"plan": "konveyor-forklift/db", "generation": generation, "mode": "enforce"}
    key = "convertor.forklift.konveyor.io/placement"
    pod["metadata"]["annotations"] = {key: json.dumps(marker, separators=(",", ":"))}
    pod["metadata"]["labels"]["forklift.app/plan"] = "db"
    return pod


def test_a_pending_pod_with_another_label_would_be_recreated_differently() -> None:
    context = read_context(plan(labels="batch=2"), Installation(), NOWHERE)
    new = build_new_pod(context)
    old, up_to_date = (
        batched(marked(convertor_pod("w", nodeSelector={"kubevirt.io/schedulable": "true"})), each)
        for each in ("1", "2")
    )

    assert recreate(old, context, new) == new
    assert recreate(up_to_date, context, new) == up_to_date


def batched(pod: Json, batch: str = "2") -> Json:
    pod["metadata"]["labels"]["batch"] = batch
    return pod


def test_deviations_from_the_plan_are_described() -> None:
    wanted = plan(node_selector="disk=ssd", labels="batch=2")
    other = convertor_pod("other", "a")
    other["metadata"]["annotations"] = PLACED
    pods = [
        convertor_pod("new", "a"),
        other,
        batched(marked(convertor_pod("placed", "a", nodeSelector={"disk": "ssd"}))),
        batched(marked(convertor_pod("placed-long-ago", "a", nodeSelector={"disk": "ssd"}), 2)),
        convertor_pod("wrong", "a", nodeSelector=[]),
        batched(marked(convertor_pod("wrong-label", "a", nodeSelector={"disk": "ssd"})), "1"),
    ]
    assert [each.placement for each in list_rows(pods, wanted)] == [
        "not placed by the webhook",
        "placed with other settings",
        "",
        "",
        "'spec.nodeSelector': expected a map, found a list",
        "its labels differ from those of the plan",
    ]


@pytest.mark.parametrize("mode", [Mode.AUDIT, Mode.OFF])
def test_placed_pods_are_compared_in_every_mode(mode: Mode) -> None:
    pods = [
        convertor_pod("new", "a"),
        marked(convertor_pod("other", "a")),
        marked(convertor_pod("placed", "a", nodeSelector={"disk": "ssd"})),
    ]
    assert [
        each.placement for each in list_rows(pods, plan(node_selector="disk=ssd"), mode=mode)
    ] == [
        f"not placed, the mode is {mode}",
        "placed with other settings",
        "",
    ]


WAITS = {"waiting": {"reason": "ContainerCreating"}}
PULLS = {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}


@pytest.mark.parametrize(
    ("status", "message"),
    [
        ({"containerStatuses": [{"name": "c", "state": PULLS}]}, "ImagePullBackOff: no such image"),
        ({"containerStatuses": [{"name": "c", "state": WAITS}]}, "ContainerCreating"),
        (
            {
                "containerStatuses": [{"name": "b", "state": WAITS}],
                "initContainerStatuses": [
                    {"name": "a", "state": {"terminated": {"exitCode": 0}}},
                    {"name": "c", "state": PULLS},
                ],
            },
            "ImagePullBackOff: no such image",
        ),
    ],
)
def test_a_pod_that_does_not_start_has_the_kubelets_message(status: Json, message: str) -> None:
    bound = {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "True"}]}
    (found,) = list_rows([convertor_pod("bound", "a") | {"status": bound | status}])
    assert found.message == f"container c: {message}"


@pytest.mark.parametrize("states", [[], [{"name": "c"}], [{"name": "c", "state": WAITS}]])
def test_a_running_pod_has_no_message(states: list[Json]) -> None:
    status = {"phase": "Running", "containerStatuses": states}
    (found,) = list_rows([convertor_pod("runs", "a") | {"status": status}])
    assert found.message == ""


@pytest.mark.parametrize("name", ["v2.12-vsphere-no-settings", "v2.12-vsphere-with-settings"])
def test_the_model_pod_has_the_fields_of_forklifts_pod_that_the_scheduler_uses(name: str) -> None:
    created = json.loads((DATA / "pods" / f"{name}.json").read_text(encoding="utf-8"))
    plan_object = json.loads((DATA / "plan-v2.12.json").read_text(encoding="utf-8"))
    if name.endswith("no-settings"):
        plan_object["spec"] = {"targetNamespace": "target"}
    context = read_context(plan_object, Installation(), NOWHERE)
    model = build_model_pod(context.plan, context.spec)
    for field in ("nodeSelector", "affinity"):
        assert model["spec"][field] == created["spec"][field]
    assert requested(model) == requested(created)
    assert model["metadata"]["namespace"] == created["metadata"]["namespace"]
    labels = {"migration", "vmID", "conversion", "conversion-type", "resource"}
    assert model["metadata"]["labels"].keys() == created["metadata"]["labels"].keys() - labels


@pytest.mark.parametrize(
    "spec",
    [
        {"convertorLabels": ["a"], "convertorNodeSelector": 5, "convertorAffinity": "REQUIRE x"},
        {"convertorLabels": {"a": 1}, "convertorAffinity": {"podAffinity": 5}},
    ],
)
def test_invalid_spec_fields_are_not_in_the_model_pod(spec: Json) -> None:
    plain, found = (
        build_new_pod(read_context(each, Installation(), NOWHERE))
        for each in (plan(), plan(spec=spec))
    )
    assert found == plain


def test_a_malformed_pending_pod_would_be_recreated_as_a_new_pod() -> None:
    context = read_context(plan(), Installation(), NOWHERE)
    new = build_new_pod(context)

    assert recreate(convertor_pod("w", affinity="text"), context, new) == new


FLOOR = Installation(
    enforced=Settings(node_selector={"migration": "allowed"}),
    convertor=ConvertorProfile(runtime_class="kata"),
)


@pytest.mark.parametrize("mode", ["off", "audit"])
def test_new_pods_get_what_is_enforced_in_every_mode_of_the_plan(mode: str) -> None:
    found = explain(plan(mode=mode, node_selector="disk=ssd"), FLOOR, CLUSTER)
    assert found.evaluated_pod == (
        "a new convertor pod, as Forklift creates it, with what the installation enforces "
        f"(the mode is {mode})"
    )
    (node_row,) = found.nodes
    assert node_row.details == ["no label migration=allowed"]
    new = build_new_pod(read_context(plan(mode=mode, labels="a=b"), FLOOR, NOWHERE))
    assert new["spec"]["runtimeClassName"] == "kata"
    assert "a" not in new["metadata"]["labels"]
    assert "annotations" not in new["metadata"]


@pytest.mark.parametrize(
    "installation",
    [
        msgspec.structs.replace(FLOOR, mode=Mode.AUDIT),
        msgspec.structs.replace(FLOOR, namespace_modes={"vms": Mode.OFF}),
        Installation(),
    ],
)
def test_nothing_is_enforced_in_other_modes_of_the_installation(
    installation: Installation,
) -> None:
    found = explain(plan(mode="off"), installation, CLUSTER)
    assert found.evaluated_pod == "a new convertor pod, as Forklift creates it (the mode is off)"
    assert found.nodes[0].fits


def test_pods_without_what_is_enforced_are_reported() -> None:
    new = build_new_pod(read_context(plan(mode="off"), FLOOR, NOWHERE))
    with_floor = convertor_pod("b", "a", nodeSelector=new["spec"]["nodeSelector"])
    with_floor["spec"]["runtimeClassName"] = "kata"
    found = explain(
        plan(mode="off"),
        FLOOR,
        ClusterObjects([node("a")], [convertor_pod("a", "a"), with_floor], [], []),
    )
    assert [row.placement for row in found.pods] == [
        "not placed, the mode is off, and without what the installation enforces",
        "not placed, the mode is off",
    ]


def test_a_pending_pod_would_be_recreated_with_what_is_enforced() -> None:
    context = read_context(plan(mode="off"), FLOOR, NOWHERE)
    new = build_new_pod(context)
    old = convertor_pod("w")
    assert recreate(old, context, new)["spec"]["nodeSelector"] == {"migration": "allowed"}
    up_to_date = recreate(old, context, new)
    assert recreate(up_to_date, context, new) == up_to_date
    assert recreate(convertor_pod("w", affinity="x"), context, new) == new


def test_problems_that_depend_on_the_cluster_are_listed_once() -> None:
    installation = Installation(limits=Limits(priority_classes=("*",)))
    a_plan = plan(pods="all", priority_class="high")
    cluster = ClusterObjects([], [], [], [], priority_classes=frozenset({"low"}))
    (problem,) = explain(a_plan, installation, cluster).problems
    assert problem.message.startswith("priority class 'high' is not applied")
    known = cluster._replace(priority_classes=frozenset({"high"}))
    assert explain(a_plan, installation, known).problems == []
