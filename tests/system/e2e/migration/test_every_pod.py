"""Every pod that Forklift and CDI create for a migration, by its role, on a real API server."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.system.controlplane.api import Json
from tests.system.controlplane.process import until
from tests.system.controlplane.replicas import Replicas
from tests.system.e2e.migration.cluster import WITH, WITHOUT, ZONES, Cluster
from tests.system.e2e.migration.every_pod import EVERY_POD, bind, pod_of, role_of
from tests.system.e2e.pod_results import PodResult, send
from tests.system.guide.rows import PREFIX
from webhook.model import Role

SETTINGS = {
    "labels": "wave=3",
    "node-selector": "disk=nvme",
    "affinity": "REQUIRE pods(app=ceph-osd) on zone; PREFER nodes(fast=true)",
    "tolerations": "dedicated=migration:NoExecute,spot:NoSchedule",
}
"""Of the first version of the webhook, which knew convertor pods only."""

EVICTABLE = {"key": "dedicated", "operator": "Equal", "value": "migration", "effect": "NoExecute"}
SPOT = {"key": "spot", "operator": "Exists", "effect": "NoSchedule"}

FAST = {"key": "fast", "operator": "In", "values": ["true"]}
NVME = {"key": "disk", "operator": "In", "values": ["nvme"]}
CEPH_TERM = {
    "labelSelector": {"matchLabels": {"app": "ceph-osd"}},
    "topologyKey": "topology.kubernetes.io/zone",
    "namespaceSelector": {},
}
REQUIRED, PREFERRED = (
    f"{kind}DuringSchedulingIgnoredDuringExecution" for kind in ("required", "preferred")
)

IMPORTERS = [name for name in EVERY_POD if role_of(name) is Role.IMPORTER]


@pytest.fixture(scope="module", autouse=True)
def zones(shared_cluster: Cluster) -> Iterator[None]:
    with shared_cluster.nodes(ZONES):
        yield


@pytest.mark.parametrize("name", EVERY_POD)
def test_a_pod_gets_what_its_role_gets(cluster: Cluster, replicas: Replicas, name: str) -> None:
    plan = cluster.plan(WITH, SETTINGS | {"pods": "all"})
    pod, pvc = pod_of(cluster, plan, name)
    role = role_of(name)
    if pvc is None or role is None:
        _check_role(cluster, pod, role)
        return
    if role is Role.IMPORTER:
        _await_role(replicas, pod, Role.FIRST_CONSUMER)
        _check_role(cluster, pod, Role.FIRST_CONSUMER)
    bind(cluster, pvc)
    _await_role(replicas, pod, role)
    _check_role(cluster, pod, role)


def test_a_plan_without_settings_changes_convertor_pods_only(
    cluster: Cluster, replicas: Replicas
) -> None:
    for name in EVERY_POD:
        plan = cluster.plan(WITH)
        pod, _ = pod_of(cluster, plan, name)
        if role_of(name) is Role.CONVERTOR:
            labels = {"app": "virt-v2v", "forklift.app/plan": plan["metadata"]["name"]}
            assert _labels_added(cluster, pod) == labels
        else:
            _check_unchanged(cluster, pod)
        cluster.clean()


def test_settings_of_the_first_version_change_first_consumers_and_tolerations_of_preset_nodes(
    cluster: Cluster, replicas: Replicas
) -> None:
    for name in EVERY_POD:
        role = role_of(name)
        if role is Role.CONVERTOR:
            continue
        pod, pvc = pod_of(cluster, cluster.plan(WITH, SETTINGS), name)
        has_node = role is not None and "nodeName" in pod["spec"]
        if role is Role.IMPORTER and pvc is not None:
            _await_role(replicas, pod, Role.FIRST_CONSUMER)
            _check_role(cluster, pod, Role.FIRST_CONSUMER)
            bind(cluster, pvc)
            _await_role(replicas, pod, role if has_node else None)
        if has_node:
            placed, original = _send(cluster, pod)
            spec, before = placed.pod["spec"], original.pod["spec"]
            assert _added(spec, before, "tolerations") == [EVICTABLE], name
            assert spec | {"tolerations": None} == before | {"tolerations": None}
        elif role is Role.FIRST_CONSUMER:
            _check_role(cluster, pod, role)
        else:
            _check_unchanged(cluster, pod)
        cluster.clean()


def _send(cluster: Cluster, pod: Json) -> tuple[PodResult, PodResult]:
    """Return the results with the webhook and without it."""
    placed = send(cluster.api, pod, dryRun="All")
    elsewhere = pod | {"metadata": pod["metadata"] | {"namespace": WITHOUT}}
    original = send(cluster.api, elsewhere, dryRun="All")
    assert not placed.rejection, placed
    assert not original.rejection, original
    return placed, original


def _await_role(replicas: Replicas, pod: Json, role: Role | None) -> None:
    """Wait until the replicas know the PVC of a pod, so that they place it as this role."""

    def placed() -> bool:
        reviewed = [replica.reviewed(pod) for replica in replicas.running]
        labels = [each["metadata"].get("labels", {}) for each in reviewed]
        return all(each.get(f"{PREFIX}/role") == role for each in labels)

    until(f"{pod['metadata']['name']} to be placed as {role}", placed)


def _labels_added(cluster: Cluster, pod: Json) -> dict[str, str]:
    placed, original = _send(cluster, pod)
    assert original.labels.items() <= placed.labels.items()
    return {key: placed.labels[key] for key in placed.labels.keys() - original.labels.keys()}


def _check_unchanged(cluster: Cluster, pod: Json) -> None:
    placed, original = _send(cluster, pod)
    assert placed.pod["spec"] == original.pod["spec"], pod["metadata"]["name"]
    for key in ("labels", "annotations", "finalizers"):
        assert placed.pod["metadata"].get(key) == original.pod["metadata"].get(key)
    assert placed.warnings == original.warnings


def _check_role(cluster: Cluster, pod: Json, role: Role | None) -> None:
    if role is None:
        _check_unchanged(cluster, pod)
        return
    placed, original = _send(cluster, pod)
    added = _labels_added(cluster, pod)
    assert added.pop("wave") == "3"
    if role is Role.CONVERTOR:
        assert added.keys() == {"app", "forklift.app/plan"}
    else:
        assert added == {f"{PREFIX}/role": role}
    assert f"{PREFIX}/placement" in placed.pod["metadata"]["annotations"]

    spec, before = placed.pod["spec"], original.pod["spec"]
    assert _added(spec, before, "tolerations") == [EVICTABLE, SPOT]
    if "nodeName" in pod["spec"]:
        assert spec | {"tolerations": None} == before | {"tolerations": None}
        return
    softened = role in (Role.IMPORTER, Role.POPULATOR)
    pod_terms = [
        _added(spec, before, "affinity", "podAffinity", kind) for kind in (REQUIRED, PREFERRED)
    ]
    node_preferences = [
        (each["weight"], each["preference"]["matchExpressions"])
        for each in _added(spec, before, "affinity", "nodeAffinity", PREFERRED)
    ]
    if softened:
        assert spec.get("nodeSelector") == before.get("nodeSelector")
        assert pod_terms == [[], [{"weight": 100, "podAffinityTerm": CEPH_TERM}]]
        assert sorted(node_preferences, key=str) == [(100, [NVME]), (100, [FAST])]
    else:
        assert spec["nodeSelector"] == before.get("nodeSelector", {}) | {"disk": "nvme"}
        assert pod_terms == [[CEPH_TERM], []]
        assert node_preferences == ([] if role is Role.FIRST_CONSUMER else [(100, [FAST])])


def _added(after: Any, before: Any, *keys: str) -> list[Json]:
    """Return the entries of a list that `before` has not."""
    for key in keys:
        after, before = after.get(key, {}), before.get(key, {})
    return [each for each in after if each not in list(before)]
