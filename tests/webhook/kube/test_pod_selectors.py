"""Services, ReplicaSets, budgets and network policies select pods by their labels."""

from typing import Any

import msgspec
import pytest

from webhook.kube.objects import Json
from webhook.kube.pod_selectors import (
    API_VERSIONS,
    PodSelector,
    SelectingObject,
    collection_path,
    read_pod_selector,
)

LABELS = {"tier": "web"}
EXISTS: Json = {"matchExpressions": [{"key": "tier", "operator": "Exists"}]}


def read(kind: str, **spec: Any) -> PodSelector:
    found = msgspec.convert({"metadata": {"name": "x"}, "spec": spec or None}, SelectingObject)
    return read_pod_selector(kind, found)


@pytest.mark.parametrize(
    ("kind", "spec", "selects"),
    [
        ("Service", {"selector": LABELS}, True),
        ("Service", {"selector": {"tier": "db"}}, False),
        ("Service", {"selector": {}}, False),
        ("Service", {"selector": None}, False),
        ("Service", {}, False),
        ("ReplicaSet", {"selector": {"matchLabels": LABELS}}, True),
        ("ReplicaSet", {"selector": EXISTS}, True),
        ("ReplicaSet", {}, False),
        ("PodDisruptionBudget", {"selector": EXISTS}, True),
        ("PodDisruptionBudget", {"selector": {}}, True),
        ("PodDisruptionBudget", {}, False),
        ("NetworkPolicy", {"podSelector": EXISTS}, True),
        ("NetworkPolicy", {"podSelector": {"matchLabels": {"tier": "db"}}}, False),
        ("NetworkPolicy", {"podSelector": {}}, True),
        ("NetworkPolicy", {}, True),
    ],
)
def test_a_selector_selects_pods(kind: str, spec: Json, *, selects: bool) -> None:
    found = read(kind, **spec)
    assert found.matches(LABELS) is selects
    assert str(found) == f"{kind} x"


@pytest.mark.parametrize(
    ("spec", "directions"),
    [
        ({}, ("Ingress",)),
        ({"egress": [{}]}, ("Ingress", "Egress")),
        ({"policyTypes": ["Egress"]}, ("Egress",)),
    ],
)
def test_a_network_policy_restricts_directions(spec: Json, directions: tuple[str, ...]) -> None:
    assert read("NetworkPolicy", **spec).directions == directions


def test_the_paths_of_the_collections() -> None:
    assert [collection_path(kind, "vms") for kind in API_VERSIONS] == [
        "/api/v1/namespaces/vms/services",
        "/apis/apps/v1/namespaces/vms/replicasets",
        "/apis/policy/v1/namespaces/vms/poddisruptionbudgets",
        "/apis/networking.k8s.io/v1/namespaces/vms/networkpolicies",
    ]
