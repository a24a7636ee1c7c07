"""Each filter accepts or rejects nodes, with the reasons of kube-scheduler."""

from typing import Any

import pytest

from tests.support.builders import HOST, node, pod
from webhook.kube.affinity import REQUIRED
from webhook.kube.objects import Json
from webhook.kube.scheduler import Verdict, run_filters, take_snapshot

TAINTED = ["node(s) had untolerated taint(s)"]
MISMATCH = ["node(s) didn't match Pod's node affinity/selector"]
NOT_NAMED = ["node(s) didn't satisfy plugin(s) [NodeAffinity]"]


def verdicts_of(spec: Json, *nodes: Json, pods: tuple[Json, ...] = ()) -> list[Verdict]:
    return run_filters(pod("vms/p", **spec), take_snapshot(nodes, pods, []))


def reasons(spec: Json, *nodes: Json, pods: tuple[Json, ...] = ()) -> list[list[str]]:
    return [verdict.reasons for verdict in verdicts_of(spec, *nodes, pods=pods)]


def requires(*terms: Json) -> Json:
    return {"affinity": {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": list(terms)}}}}


def named(*names: str, operator: str = "In") -> Json:
    values = list(names)
    return {"matchFields": [{"key": "metadata.name", "operator": operator, "values": values}]}


@pytest.mark.parametrize(
    ("toleration", "tolerated"),
    [
        ({}, False),
        ({"operator": "Exists"}, True),
        ({"key": "gpu", "operator": "Exists"}, True),
        ({"key": "spot", "operator": "Exists"}, False),
        ({"key": "gpu", "value": "a100"}, True),
        ({"key": "gpu", "operator": "Equal", "value": "a100", "effect": "NoSchedule"}, True),
        ({"key": "gpu", "operator": "Equal", "value": "t4"}, False),
        ({"key": "gpu", "operator": "Exists", "effect": "NoExecute"}, False),
        ({"key": "gpu", "operator": "Gt", "value": "1"}, False),
    ],
)
def test_a_toleration_matches_a_taint(toleration: Json, tolerated: bool) -> None:
    tainted = node("a", taints=("gpu=a100:NoSchedule",))
    assert reasons({"tolerations": [toleration]}, tainted) == [[] if tolerated else TAINTED]


def test_every_taint_is_a_cause_except_prefer_no_schedule() -> None:
    tainted = node("a", taints=("gpu=a100:NoSchedule", "a:PreferNoSchedule", "b:NoExecute"))
    (verdict,) = verdicts_of({}, tainted)
    assert [rejection.causes for rejection in verdict.rejections] == [
        [
            {"key": "gpu", "value": "a100", "effect": "NoSchedule"},
            {"key": "b", "effect": "NoExecute"},
        ]
    ]


@pytest.mark.parametrize(
    ("tolerations", "expected"),
    [
        ([], ["node(s) were unschedulable"]),
        ([{"key": "node.kubernetes.io/unschedulable", "operator": "Exists"}], []),
        ([{"operator": "Exists", "effect": "NoExecute"}], ["node(s) were unschedulable"]),
    ],
)
def test_a_cordoned_node_accepts_pods_that_tolerate_its_taint(
    tolerations: list[Json], expected: list[str]
) -> None:
    assert reasons({"tolerations": tolerations}, node("a", cordoned=True)) == [expected]


def test_a_pod_with_a_node_name_fits_only_this_node() -> None:
    elsewhere = ["node(s) didn't match the requested node name"]
    found = run_filters(pod("vms/p", "b"), take_snapshot([node("a"), node("b")], [], []))
    assert [verdict.reasons for verdict in found] == [elsewhere, []]


def test_node_selector_and_node_affinity_must_both_match() -> None:
    ssd = {"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]}
    wanted: dict[str, Any] = requires(ssd) | {"nodeSelector": {"zone": "a", "rack": "1"}}
    nodes = node("a", {"disk": "ssd", "zone": "a", "rack": "1"}), node("b", {"zone": "a"})
    fits, verdict = verdicts_of(wanted, *nodes)
    assert (fits.fits, verdict.reasons) == (True, MISMATCH)
    (rejection,) = verdict.rejections
    assert rejection.causes == [{"nodeSelector": {"rack": "1"}}, {"nodeSelectorTerms": [ssd]}]


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        ([], [MISMATCH, MISMATCH]),
        ([{}], [MISMATCH, MISMATCH]),
        ([named("a")], [[], NOT_NAMED]),
        ([named("a"), named("b")], [[], []]),
        ([named("gone")], [NOT_NAMED, NOT_NAMED]),
        ([named("a", operator="NotIn")], [MISMATCH, []]),
        ([{"matchFields": named("a")["matchFields"] + named("b")["matchFields"]}],
         [["pod affinity terms conflict"]] * 2),
        ([named("a"), {"matchExpressions": [{"key": HOST, "operator": "Exists"}]}], [[], []]),
    ],
)  # fmt: skip
def test_required_node_terms_are_ored_and_may_have_match_fields(
    terms: list[Json], expected: list[list[str]]
) -> None:
    assert reasons(requires(*terms), node("a"), node("b")) == expected


def test_nodes_that_no_term_names_are_rejected_before_other_filters() -> None:
    tainted = node("b", taints=("gpu:NoSchedule",), cordoned=True)
    assert reasons(requires(named("a")), node("a"), tainted) == [[], NOT_NAMED]


@pytest.mark.parametrize(
    ("room", "expected"),
    [
        ({}, []),
        ({"cpu": "1500m"}, []),
        ({"cpu": "1499m"}, ["Insufficient cpu"]),
        ({"pods": "1"}, ["Too many pods"]),
        ({"devices.kubevirt.io/kvm": "0"}, ["Insufficient devices.kubevirt.io/kvm"]),
        ({"memory": "1Gi", "cpu": "1"}, ["Insufficient cpu", "Insufficient memory"]),
    ],
)
def test_requests_must_fit_beside_those_of_existing_pods(
    room: dict[str, str], expected: list[str]
) -> None:
    requests = {"cpu": "500m", "memory": "2G", "devices.kubevirt.io/kvm": "1"}
    spec = {"containers": [{"name": "c", "resources": {"requests": requests}}]}
    there = pod("shop/a", "a", cpu="1")
    assert reasons(spec, node("a", allocatable=room), pods=(there,)) == [expected]


def test_resource_causes_are_in_the_units_of_the_scheduler() -> None:
    spec = {"containers": [{"name": "c", "resources": {"requests": {"cpu": "1"}}}]}
    existing = pod("a/b", "a", cpu="0.2")
    (verdict,) = verdicts_of(spec, node("a", allocatable={"cpu": "1100m"}), pods=(existing,))
    (rejection,) = verdict.rejections
    assert rejection.causes == [
        {"resource": "cpu", "requested": 1000, "used": 200, "allocatable": 1100}
    ]


def test_a_pod_without_requests_counts_as_one_pod() -> None:
    spec = {"containers": [{"name": "c"}]}
    assert reasons(spec, node("a", allocatable={"cpu": "0", "pods": "0"})) == [["Too many pods"]]


@pytest.mark.parametrize(
    ("there", "counted"),
    [
        (pod("a/b", "a", status={"phase": "Running"}), True),
        (pod("a/b", "a", status={"phase": "Pending"}), True),
        (pod("a/b", "a", status=None), True),
        (pod("a/b", "a", status={"phase": "Succeeded"}), False),
        (pod("a/b", "a", status={"phase": "Failed"}), False),
        (pod("a/b", "gone", status={"phase": "Running"}), False),
        (pod("a/b", "", status={"phase": "Pending"}), False),
    ],
)
def test_pods_use_resources_while_they_are_bound_and_not_finished(
    there: Json, counted: bool
) -> None:
    full = node("a", allocatable={"pods": "1"})
    assert reasons({}, full, pods=(there,)) == [["Too many pods"] if counted else []]


def test_rejections_are_in_the_order_of_kube_scheduler() -> None:
    bad = node("a", taints=("gpu:NoSchedule",), allocatable={"pods": "0"}, cordoned=True)
    (verdict,) = verdicts_of({"nodeSelector": {"disk": "ssd"}, "nodeName": "b"}, bad)
    assert [rejection.plugin for rejection in verdict.rejections] == [
        "NodeUnschedulable",
        "NodeName",
        "TaintToleration",
        "NodeAffinity",
        "NodeResourcesFit",
    ]
