"""PodTopologySpread: hard constraints, as kube-scheduler evaluates them."""

from typing import Any

import pytest

from tests.support.builders import node, pod
from webhook.kube.objects import Json
from webhook.kube.scheduler.pod_topology_spread import NO_LABEL, SKEW, pod_topology_spread
from webhook.kube.scheduler.snapshot import take_snapshot

LABELS = {"app": "v2v"}
CONSTRAINT: Json = {
    "maxSkew": 1,
    "topologyKey": "zone",
    "whenUnsatisfiable": "DoNotSchedule",
    "labelSelector": {"matchLabels": LABELS},
}
NODES = [
    node("a1", labels={"zone": "a"}),
    node("a2", labels={"zone": "a"}),
    node("b1", labels={"zone": "b"}),
]


def reasons(
    *existing: Json, nodes: list[Json] = NODES, labels: Json | None = None, **changes: Any
) -> list[str]:
    """Return the reason for each node, empty where the pod fits."""
    incoming = pod("vms/new", "", LABELS if labels is None else labels)
    incoming["spec"]["topologySpreadConstraints"] = [CONSTRAINT | changes]
    found = pod_topology_spread(incoming, take_snapshot(nodes, existing, []))
    rejections = [found(each) for each in nodes]
    return [each.reasons[0] if each else "" for each in rejections]


def existing(node_name: str, namespace: str = "vms", labels: Json | None = None) -> Json:
    return pod(f"{namespace}/{node_name}-x", node_name, LABELS if labels is None else labels)


def test_a_node_where_the_difference_would_be_too_large_is_rejected() -> None:
    assert reasons() == ["", "", ""]
    assert reasons(existing("a1")) == [SKEW, SKEW, ""]
    assert reasons(existing("a1"), existing("b1")) == ["", "", ""]
    assert reasons(existing("a1"), maxSkew=2) == ["", "", ""]


@pytest.mark.parametrize(
    "other", [existing("a1", namespace="other"), existing("a1", labels={"app": "x"})]
)
def test_only_matching_pods_of_its_namespace_count(other: Json) -> None:
    assert reasons(other) == ["", "", ""]


def test_pods_that_are_being_deleted_do_not_count() -> None:
    deleting = existing("a1")
    deleting["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert reasons(deleting) == ["", "", ""]


def test_a_pod_that_does_not_match_does_not_make_the_difference_larger() -> None:
    assert reasons(existing("a1"), labels={"app": "x"}) == ["", "", ""]
    both = existing("a1"), pod("vms/second", "a2", LABELS)
    assert reasons(*both, labels={"app": "x"}) == [SKEW, SKEW, ""]


def test_a_node_without_the_label_is_rejected_and_does_not_count() -> None:
    nodes = [*NODES, node("c1")]
    assert reasons(nodes=nodes) == ["", "", "", NO_LABEL]


@pytest.mark.parametrize(
    ("policies", "expected"),
    [
        ({}, [SKEW, SKEW, ""]),
        ({"nodeTaintsPolicy": "Ignore"}, [SKEW, SKEW, ""]),
        ({"nodeTaintsPolicy": "Honor"}, ["", "", ""]),
    ],
)
def test_tainted_nodes_count_unless_their_taints_are_honored(
    policies: Json, expected: list[str]
) -> None:
    nodes = [*NODES[:2], node("b1", labels={"zone": "b"}, taints=("spot:NoSchedule",))]
    assert reasons(existing("a1"), nodes=nodes, **policies) == expected


def test_nodes_that_the_pod_does_not_select_count_on_request_only() -> None:
    incoming = pod("vms/new", "", LABELS)
    incoming["spec"] |= {"nodeSelector": {"zone": "a"}, "topologySpreadConstraints": [CONSTRAINT]}
    snapshot = take_snapshot(NODES, [existing("a1")], [])
    assert pod_topology_spread(incoming, snapshot)(NODES[0]) is None
    ignoring = CONSTRAINT | {"nodeAffinityPolicy": "Ignore"}
    incoming["spec"]["topologySpreadConstraints"] = [ignoring]
    rejection = pod_topology_spread(incoming, snapshot)(NODES[0])
    assert rejection
    assert rejection.causes == [{"constraint": ignoring, "matching": 1, "smallest": 0}]


def test_fewer_domains_than_required_count_as_an_empty_one() -> None:
    full = existing("a1"), existing("b1")
    assert reasons(*full, minDomains=3) == [SKEW, SKEW, SKEW]
    assert reasons(*full, minDomains=2) == ["", "", ""]


def test_soft_constraints_reject_no_node() -> None:
    assert reasons(existing("a1"), whenUnsatisfiable="ScheduleAnyway") == ["", "", ""]


def test_an_absent_or_empty_selector_counts_no_pods() -> None:
    assert reasons(existing("a1"), labelSelector=None) == ["", "", ""]
    assert reasons(existing("a1"), labelSelector={}) == ["", "", ""]


def test_label_keys_are_compared_with_the_values_of_the_pod() -> None:
    other = existing("a1", labels=LABELS | {"wave": "1"})
    labels = LABELS | {"wave": "2"}
    assert reasons(other, labels=labels, matchLabelKeys=["wave"]) == ["", "", ""]
    assert reasons(other, labels=labels, matchLabelKeys=["missing"]) == [SKEW, SKEW, ""]
