"""Consequences of settings that the built-in limits keep from plans: with and without the limits.

Each was seen to reach workloads of others.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from tests.system.controlplane.api import Json, path, unwrap
from tests.system.controlplane.process import until
from tests.system.controlplane.release import Release
from tests.system.e2e.migration.cluster import NEIGHBOURS, WITH, ZONES, Cluster
from tests.system.e2e.pod_results import PodResult, scheduled, send
from tests.system.e2e.row_cluster import pod
from tests.system.e2e.settings.conftest import UNLIMITED
from tests.system.e2e.settings.pods import await_classes, placed, without_disks
from tests.system.guide.forklift import Generation, convertor_pod
from tests.system.guide.rows import Node

DNS = {"k8s-app": "kube-dns"}
SELECTED = {"labels": "k8s-app=kube-dns,team=a"}
ZONE_A = {"a1": ZONES["a1"]}


@pytest.fixture(params=[UNLIMITED, WITH], ids=["without limits", "with the built-in limits"])
def namespace(request: pytest.FixtureRequest, release: Release, unlimited: Release) -> str:
    """Return a namespace of pods whose plans have no limits, and one with the built-in ones."""
    name: str = request.param
    return name


def created(cluster: Cluster, release: Release, namespace: str, **settings: str) -> PodResult:
    """Create a convertor pod that waits for no claim."""
    plan = cluster.plan(namespace, {key.replace("_", "-"): text for key, text in settings.items()})
    body = without_disks(convertor_pod(Generation.V2_12, plan))
    return placed(cluster, release, body)


@contextmanager
def existing(cluster: Cluster, body: Json) -> Iterator[Json]:
    """Create an object for a while."""
    found = cluster.api.create(body)
    try:
        yield found
    finally:
        cluster.api.delete(body["kind"], body["metadata"]["name"], body["metadata"]["namespace"])


def named(kind: str, version: str, namespace: str, spec: Json) -> Json:
    metadata = {"name": f"of-others-{kind.lower()}", "namespace": namespace}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}


def run(cluster: Cluster, body: Json, ip: str) -> None:
    """Report a pod as running and ready, as its kubelet does."""
    where = path("Pod", body["metadata"]["namespace"], body["metadata"]["name"])
    ready = [{"type": "Ready", "status": "True"}]
    status = {"phase": "Running", "conditions": ready, "podIP": ip, "podIPs": [{"ip": ip}]}
    unwrap(cluster.api.send("PATCH", f"{where}/status", {"status": status}))


def test_a_replicaset_deletes_a_pod_with_its_labels(
    cluster: Cluster, release: Release, namespace: str
) -> None:
    template = {"metadata": {"labels": DNS}, "spec": pod(namespace, {})["spec"]}
    spec = {"replicas": 0, "selector": {"matchLabels": DNS}, "template": template}
    convertor = created(cluster, release, namespace, **SELECTED)
    later = cluster.api.create(pod(namespace, DNS))
    with existing(cluster, named("ReplicaSet", "apps/v1", namespace, spec)):
        until("the ReplicaSet to delete a pod", lambda: is_gone(cluster, later))

        assert is_gone(cluster, convertor.pod) == (namespace == UNLIMITED)


def test_a_service_sends_its_traffic_to_a_pod_with_its_labels(
    cluster: Cluster, release: Release, namespace: str
) -> None:
    spec = {"selector": DNS, "ports": [{"port": 53}]}
    service = named("Service", "v1", namespace, spec)
    with cluster.nodes(ZONE_A, used=()), existing(cluster, service):
        convertor = scheduled(cluster.api, created(cluster, release, namespace, **SELECTED))
        run(cluster, convertor.pod, "10.0.0.1")
        other = scheduled(cluster.api, send(cluster.api, pod(namespace, DNS)))
        run(cluster, other.pod, "10.0.0.2")

        def ready() -> set[str]:
            slices = cluster.api.list("EndpointSlice", namespace)
            endpoints = [each for one in slices for each in one["endpoints"] or ()]
            found = {each["addresses"][0] for each in endpoints if each["conditions"]["ready"]}
            return found if "10.0.0.2" in found else set()

        assert ("10.0.0.1" in until("the endpoints", ready)) == (namespace == UNLIMITED)


def test_a_disruption_budget_counts_a_pod_with_its_labels(
    cluster: Cluster, release: Release, namespace: str
) -> None:
    spec = {"minAvailable": 1, "selector": {"matchLabels": DNS}}
    convertor = created(cluster, release, namespace, **SELECTED)
    run(cluster, convertor.pod, "10.0.0.1")
    run(cluster, cluster.api.create(pod(namespace, DNS)), "10.0.0.2")
    budget = named("PodDisruptionBudget", "policy/v1", namespace, spec)
    with existing(cluster, budget):
        name = budget["metadata"]["name"]

        def counted() -> Json | None:
            found: Json = cluster.api.get("PodDisruptionBudget", name, namespace)["status"]
            return found if found.get("currentHealthy") else None

        allowed = until("the budget to be counted", counted)["disruptionsAllowed"]
        assert allowed == (1 if namespace == UNLIMITED else 0)


def test_a_hard_avoid_rule_keeps_the_pods_of_others_from_every_node(
    cluster: Cluster, release: Release, namespace: str
) -> None:
    linux = {"kubernetes.io/os": "linux"}
    nodes = {name: Node(zone=name[0], cpu=64, labels=linux) for name in ("a1", "b1")}
    with cluster.nodes(nodes, used=()):
        rule = "AVOID pods(has app) on kubernetes.io/os"
        convertor = created(cluster, release, namespace, affinity=rule, labels="team=a")
        assert scheduled(cluster.api, convertor).node, convertor
        body = pod(NEIGHBOURS, {"app": "production"})
        production = scheduled(cluster.api, send(cluster.api, body))

        if namespace == UNLIMITED:
            assert "existing pods anti-affinity rules" in production.why_pending
        else:
            assert production.node, production
        cluster.api.delete_all("Pod", NEIGHBOURS)


@pytest.mark.parametrize(
    "taint",
    [
        "node-role.kubernetes.io/control-plane:NoSchedule",
        "node.kubernetes.io/unschedulable:NoSchedule",
        "ToBeDeletedByClusterAutoscaler:NoSchedule",
    ],
)
def test_a_toleration_admits_a_pod_to_a_node_that_is_not_for_it(
    cluster: Cluster, release: Release, namespace: str, taint: str
) -> None:
    with cluster.nodes({"a1": Node(cpu=64, taints=[taint])}, used=()):
        if "unschedulable" in taint:
            cluster.api.patch("Node", "a1", {"spec": {"unschedulable": True}})
        settings = {"tolerations": f"{taint.partition(':')[0]},spot"}
        result = scheduled(cluster.api, created(cluster, release, namespace, **settings))

        assert result.node == ("a1" if namespace == UNLIMITED else ""), result


def test_a_priority_class_evicts_a_pod_of_others_against_its_budget(
    cluster: Cluster, release: Release, unlimited: Release, namespace: str
) -> None:
    await_classes(cluster, release)
    await_classes(cluster, unlimited, UNLIMITED)
    vm = {"kubevirt.io": "virt-launcher"}
    spec = {"minAvailable": 1, "selector": {"matchLabels": vm}}
    budget = named("PodDisruptionBudget", "policy/v1", NEIGHBOURS, spec)
    with cluster.nodes(ZONE_A, used=()), existing(cluster, budget):
        victim = scheduled(cluster.api, send(cluster.api, pod(NEIGHBOURS, vm, cpu=63)))
        run(cluster, victim.pod, "10.0.0.3")
        settings = {"resources": "requests.cpu=4", "priority_class": "high"}
        waiting = created(cluster, release, namespace, **settings)
        result = scheduled(cluster.api, waiting)

        if namespace == UNLIMITED:
            until("the VM to be evicted", lambda: is_gone(cluster, victim.pod))
        else:
            assert "Insufficient cpu" in result.why_pending, result
            assert not is_gone(cluster, victim.pod)
        cluster.api.delete_all("Pod", NEIGHBOURS)


def test_an_annotation_switches_app_armor_off(
    cluster: Cluster, release: Release, namespace: str
) -> None:
    key = "container.apparmor.security.beta.kubernetes.io/virt-v2v"
    result = created(
        cluster, release, namespace, pod_annotations=f"{key}=unconfined", labels="team=a"
    )

    assert (key in result.pod["metadata"]["annotations"]) == (namespace == UNLIMITED)
    (main,) = result.pod["spec"]["containers"]
    off = main["securityContext"].get("appArmorProfile") == {"type": "Unconfined"}
    assert off == (namespace == UNLIMITED)


def is_gone(cluster: Cluster, body: Json) -> bool:
    """Return whether a pod is deleted, or being deleted."""
    metadata = body["metadata"]
    found = cluster.api.send("GET", path("Pod", metadata["namespace"], metadata["name"]))
    return (
        found.status_code == httpx.codes.NOT_FOUND
        or "deletionTimestamp" in (found.json()["metadata"])
    )
