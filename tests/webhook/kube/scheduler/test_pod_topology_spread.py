"""Topology spread constraints: the numbers of matching pods in the domains of a topology."""

from typing import Any

import pytest

from tests.support.builders import HOST, ZONE, node, pod
from webhook.kube.affinity import REQUIRED
from webhook.kube.objects import Json
from webhook.kube.scheduler import Verdict, run_filters, take_snapshot

SKEWED = "node(s) didn't match pod topology spread constraints"
MISSING = "node(s) didn't match pod topology spread constraints (missing required label)"

A1, A2 = node("a1", {ZONE: "a"}), node("a2", {ZONE: "a"})
B1 = node("b1", {ZONE: "b"})
LABELS = {"app": "v2v"}


def constraint(key: str = HOST, **more: Any) -> Json:
    return {
        "maxSkew": 1,
        "topologyKey": key,
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": LABELS},
        **more,
    }


def on(*nodes: str, **more: Any) -> list[Json]:
    """Return a matching pod on each of the nodes."""
    return [pod(f"vms/p{i}", name, LABELS, **more) for i, name in enumerate(nodes)]


def verdicts_of(
    *constraints: Json,
    pods: list[Json],
    nodes: tuple[Json, ...] = (A1, A2, B1),
    labels: dict[str, str] | None = None,
    **spec: Any,
) -> list[Verdict]:
    incoming = pod(
        "vms/new",
        labels=LABELS if labels is None else labels,
        topologySpreadConstraints=list(constraints),
        **spec,
    )
    return run_filters(incoming, take_snapshot(nodes, pods, []))


def fitting(*constraints: Json, pods: list[Json], **more: Any) -> list[str]:
    return [each.node for each in verdicts_of(*constraints, pods=pods, **more) if each.fits]


@pytest.mark.parametrize(
    ("existing", "skew", "fits"),
    [
        ([], 1, ["a1", "a2", "b1"]),
        (["a1"], 1, ["a2", "b1"]),
        (["a1"], 2, ["a1", "a2", "b1"]),
        (["a1", "a1", "a2"], 1, ["b1"]),
        (["a1", "a1", "a2"], 2, ["a2", "b1"]),
        (["a1", "a2", "b1"], 1, ["a1", "a2", "b1"]),
    ],
)
def test_a_domain_may_have_max_skew_more_pods_than_the_emptiest(
    existing: list[str], skew: int, fits: list[str]
) -> None:
    assert fitting(constraint(maxSkew=skew), pods=on(*existing)) == fits


def test_the_nodes_with_the_same_label_value_are_one_domain() -> None:
    assert fitting(constraint(ZONE), pods=on("a1")) == ["b1"]
    assert fitting(constraint(ZONE), pods=on("a1", "b1")) == ["a1", "a2", "b1"]


def test_a_pod_that_its_own_selector_does_not_match_adds_nothing() -> None:
    assert fitting(constraint(), pods=on("a1"), labels={}) == ["a1", "a2", "b1"]
    assert fitting(constraint(), pods=on("a1", "a1"), labels={}) == ["a2", "b1"]


def test_only_running_pods_of_the_same_namespace_count() -> None:
    elsewhere = pod("shop/p", "a1", LABELS)
    other = pod("vms/q", "a1", {"app": "web"})
    ended = on("a1", status={"phase": "Succeeded"})
    deleted = on("a1", metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"})
    everywhere = ["a1", "a2", "b1"]
    assert fitting(constraint(), pods=[elsewhere, other, *ended, *deleted]) == everywhere


def test_a_soft_constraint_rejects_no_node() -> None:
    soft = constraint(whenUnsatisfiable="ScheduleAnyway")
    assert fitting(soft, pods=on("a1", "a1")) == ["a1", "a2", "b1"]


def test_a_node_without_the_label_is_rejected_and_does_not_count() -> None:
    bare = node("bare")
    verdicts = verdicts_of(constraint(ZONE), pods=on("a1", "b1", "bare"), nodes=(A1, B1, bare))
    assert [each.reasons for each in verdicts] == [[], [], [MISSING]]


def test_a_node_without_the_label_of_one_constraint_counts_for_none() -> None:
    bare = node("bare")
    both = (constraint(), constraint(ZONE, maxSkew=5))
    assert fitting(both[0], pods=on("a1", "a2"), nodes=(A1, A2, bare)) == ["bare"]
    assert fitting(*both, pods=on("a1", "a2"), nodes=(A1, A2, bare)) == ["a1", "a2"]


@pytest.mark.parametrize(("policy", "fits"), [({}, ["a2"]), ({"nodeAffinityPolicy": "Ignore"}, [])])
def test_nodes_that_the_pod_may_not_use_count_only_if_that_is_ignored(
    policy: Json, fits: list[str]
) -> None:
    near = {"matchExpressions": [{"key": ZONE, "operator": "In", "values": ["a"]}]}
    affinity = {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [near]}}}
    existing = on("a1", "a1", "a2")
    assert fitting(constraint(**policy), pods=existing, affinity=affinity) == fits
    assert fitting(constraint(**policy), pods=existing, nodeSelector={ZONE: "a"}) == fits


@pytest.mark.parametrize(("policy", "fits"), [({}, []), ({"nodeTaintsPolicy": "Honor"}, ["a2"])])
def test_a_tainted_node_counts_unless_taints_are_honored(policy: Json, fits: list[str]) -> None:
    tainted = node("b1", {ZONE: "b"}, taints=("node.kubernetes.io/unschedulable:NoSchedule",))
    existing = on("a1", "a1", "a2")
    assert fitting(constraint(**policy), pods=existing, nodes=(A1, A2, tainted)) == fits


def test_with_fewer_domains_than_the_minimum_all_must_be_empty() -> None:
    few = constraint(ZONE, minDomains=3)
    assert fitting(few, pods=[]) == ["a1", "a2", "b1"]
    assert fitting(few, pods=on("a1", "b1")) == []
    assert fitting(constraint(ZONE, minDomains=2), pods=on("a1", "b1")) == ["a1", "a2", "b1"]


def test_label_keys_select_pods_with_the_value_of_the_pod() -> None:
    by_plan = constraint(matchLabelKeys=["plan", "absent"])
    of_other_plan = pod("vms/p", "a1", LABELS | {"plan": "x"})
    of_this = pod("vms/q", "a2", LABELS | {"plan": "y"})
    labels = LABELS | {"plan": "y"}
    assert fitting(by_plan, pods=[of_other_plan, of_this], labels=labels) == ["a1", "b1"]
    only_keys = constraint(matchLabelKeys=["plan"], labelSelector={})
    assert fitting(only_keys, pods=[of_other_plan, of_this], labels=labels) == ["a1", "b1"]
    assert fitting(constraint(matchLabelKeys=["absent"]), pods=[of_this]) == ["a1", "b1"]


def test_a_constraint_without_a_selector_matches_no_pod() -> None:
    without = {key: value for key, value in constraint().items() if key != "labelSelector"}
    assert fitting(without, pods=on("a1", "a1")) == ["a1", "a2", "b1"]


def test_an_empty_selector_matches_the_incoming_pod_and_no_other() -> None:
    assert fitting(constraint(labelSelector={}), pods=on("a1", "a1")) == ["a1", "a2", "b1"]


def test_the_reason_is_that_of_the_first_constraint_and_the_causes_are_of_all() -> None:
    bare = node("bare")
    hosts, zones = constraint(), constraint(ZONE)
    verdicts = verdicts_of(hosts, zones, pods=on("a1", "a1", "a2"), nodes=(A1, A2, B1, bare))
    assert [each.reasons for each in verdicts] == [[SKEWED], [SKEWED], [], [MISSING]]
    assert verdicts[0].rejections[0].causes == [
        {"constraint": hosts, "domain": "a1", "matching": 2, "fewest": 0},
        {"constraint": zones, "domain": "a", "matching": 3, "fewest": 0},
    ]
    assert verdicts[3].rejections[0].causes == [{"constraint": zones}]


def test_the_spread_of_pods_is_checked_before_the_affinity_of_pods() -> None:
    near = {"labelSelector": {"matchLabels": {"app": "db"}}, "topologyKey": HOST}
    affinity = {"podAffinity": {REQUIRED: [near]}}
    (verdict,) = verdicts_of(constraint(ZONE), pods=[], nodes=(node("bare"),), affinity=affinity)
    assert [each.plugin for each in verdict.rejections] == ["PodTopologySpread", "InterPodAffinity"]
