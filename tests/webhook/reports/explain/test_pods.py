"""The convertor pods of a plan, and the one that Forklift would make next."""

import json
from typing import Any

import pytest

from tests.support.builders import convertor_pod, node, plan, pod
from tests.support.paths import DATA
from webhook.kube.objects import Json
from webhook.kube.scheduler.resources import requested
from webhook.model import Installation, Mode
from webhook.reports.explain import Cluster, explain
from webhook.reports.explain.context import read_case
from webhook.reports.explain.model import Pod
from webhook.reports.explain.pods import new_pod, pods_of, renewed
from webhook.reports.model_pod import model_pod

PLACED = {"convertor.forklift.konveyor.io/placement": "{}"}
NOWHERE = Cluster([], [], [], [])
NOT_PLACED = "not placed by the webhook"


def told(pods: list[Json], a_plan: Json | None = None, **installation: Any) -> list[Pod]:
    cluster = Cluster([node("a")], pods, [], [])
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
        (pod("other/p", "a", {"forklift.app": "virt-v2v", "plan": "uid-db"}), False),
    ],
)
def test_a_pod_is_the_plans_by_its_labels_in_the_target_namespace(
    found: Json, is_its: bool
) -> None:
    case = read_case(plan(), Installation(), NOWHERE)
    assert pods_of(case.plan, [found]) == ([found] if is_its else [])


def test_pods_are_told_the_oldest_first_with_where_they_are_or_why_they_wait() -> None:
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
    assert told([running, waiting, gated, done, bound]) == [
        Pod("bound", "vms", "", "a", NOT_PLACED),
        Pod("done", "vms", "Succeeded", "a", NOT_PLACED),
        Pod("gated", "vms", "Pending", "", NOT_PLACED, "SchedulingGated", 1),
        Pod(
            *("waiting", "vms", "Pending", "", NOT_PLACED),
            *("0/1 nodes are available: 1 Insufficient cpu.", 1),
        ),
        Pod("running", "vms", "Running", "a", NOT_PLACED),
    ]


def test_of_pods_that_wait_the_first_are_judged() -> None:
    nodes = [each.nodes for each in told([convertor_pod(f"w{i:02}") for i in range(12)])]
    assert nodes == [1] * 10 + [None] * 2


def marked(pod: Json, generation: int = 0) -> Json:
    marker = {"plan": "konveyor-forklift/db", "generation": generation, "mode": "enforce"}
    key = "convertor.forklift.konveyor.io/placement"
    pod["metadata"]["annotations"] = {key: json.dumps(marker, separators=(",", ":"))}
    pod["metadata"]["labels"]["forklift.app/plan"] = "db"
    return pod


def test_a_waiting_pod_with_another_label_is_not_what_a_new_one_would_be() -> None:
    case = read_case(plan(labels="batch=2"), Installation(), NOWHERE)
    new = new_pod(case)
    old, up_to_date = (
        batched(marked(convertor_pod("w", nodeSelector={"kubevirt.io/schedulable": "true"})), each)
        for each in ("1", "2")
    )

    assert renewed(old, case, new) == new
    assert renewed(up_to_date, case, new) == up_to_date


def batched(pod: Json, batch: str = "2") -> Json:
    pod["metadata"]["labels"]["batch"] = batch
    return pod


def test_it_is_told_whether_a_pod_is_as_its_plan_wants_it() -> None:
    wanted = plan(node_selector="disk=ssd", labels="batch=2")
    other = convertor_pod("other", "a")
    other["metadata"]["annotations"] = PLACED
    pods = [
        convertor_pod("new", "a"),
        other,
        batched(marked(convertor_pod("placed", "a", nodeSelector={"disk": "ssd"}))),
        batched(marked(convertor_pod("placed-long-ago", "a", nodeSelector={"disk": "ssd"}), -1)),
        convertor_pod("wrong", "a", nodeSelector=[]),
        batched(marked(convertor_pod("wrong-label", "a", nodeSelector={"disk": "ssd"})), "1"),
    ]
    assert [each.placement for each in told(pods, wanted)] == [
        "not placed by the webhook",
        "placed by other settings",
        "",
        "",
        "'spec.nodeSelector': expected a map, found a list",
        "has other labels than its plan",
    ]


@pytest.mark.parametrize("mode", [Mode.AUDIT, Mode.OFF])
def test_a_pod_that_was_placed_stays_so_whatever_the_mode_is_now(mode: Mode) -> None:
    pods = [
        convertor_pod("new", "a"),
        marked(convertor_pod("other", "a")),
        marked(convertor_pod("placed", "a", nodeSelector={"disk": "ssd"})),
    ]
    assert [each.placement for each in told(pods, plan(node_selector="disk=ssd"), mode=mode)] == [
        f"not placed, the mode is {mode}",
        "placed by other settings",
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
def test_of_a_pod_that_does_not_start_on_its_node_it_is_told_why(
    status: Json, message: str
) -> None:
    bound = {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "True"}]}
    (found,) = told([convertor_pod("bound", "a") | {"status": bound | status}])
    assert found.message == f"container c: {message}"


@pytest.mark.parametrize("states", [[], [{"name": "c"}], [{"name": "c", "state": WAITS}]])
def test_of_a_pod_that_runs_nothing_is_told(states: list[Json]) -> None:
    status = {"phase": "Running", "containerStatuses": states}
    (found,) = told([convertor_pod("runs", "a") | {"status": status}])
    assert found.message == ""


@pytest.mark.parametrize("name", ["v2.12-vsphere-no-settings", "v2.12-vsphere-with-settings"])
def test_the_model_is_what_forklift_makes_as_far_as_a_scheduler_goes(name: str) -> None:
    made = json.loads((DATA / "pods" / f"{name}.json").read_text(encoding="utf-8"))
    plan_object = json.loads((DATA / "plan-v2.12.json").read_text(encoding="utf-8"))
    if name.endswith("no-settings"):
        plan_object["spec"] = {"targetNamespace": "target"}
    case = read_case(plan_object, Installation(), NOWHERE)
    model = model_pod(case.plan, case.spec)
    for field in ("nodeSelector", "affinity"):
        assert model["spec"][field] == made["spec"][field]
    assert requested(model) == requested(made)
    assert model["metadata"]["namespace"] == made["metadata"]["namespace"]
    labels = {"migration", "vmID", "conversion", "conversion-type", "resource"}
    assert model["metadata"]["labels"].keys() == made["metadata"]["labels"].keys() - labels


@pytest.mark.parametrize(
    "spec",
    [
        {"convertorLabels": ["a"], "convertorNodeSelector": 5, "convertorAffinity": "REQUIRE x"},
        {"convertorLabels": {"a": 1}, "convertorAffinity": {"podAffinity": 5}},
    ],
)
def test_fields_that_are_no_settings_do_not_get_into_the_model(spec: Json) -> None:
    plain, found = (
        new_pod(read_case(each, Installation(), NOWHERE)) for each in (plan(), plan(spec=spec))
    )
    assert found == plain
