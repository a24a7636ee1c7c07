"""`webhook.kube.scheduler` gives every node of random clusters kube-scheduler's verdict."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from random import Random

import pytest

from tests.support.worlds import (
    NAMESPACES,
    TARGET,
    build_namespaces,
    draw_convertor_pod,
    draw_nodes,
    draw_pods,
)
from tests.system.controlplane.api import Api, Json, StatusError
from tests.system.controlplane.cluster import ControlPlane
from tests.system.controlplane.process import until
from tests.system.e2e.row_cluster import HOSTNAME, pod
from webhook.cli.explain.read import read_cluster
from webhook.kube.affinity import REQUIRED
from webhook.kube.api.client import Client, connect
from webhook.kube.defaulting import with_defaults
from webhook.kube.scheduler import Snapshot, run_filters, take_snapshot
from webhook.model import ClusterState

WORLDS = range(240)
LAST = "last-drawn"
"""The namespace of the pods that show that the scheduler has seen a world; created last."""


@pytest.fixture(scope="module", autouse=True)
def namespaces(api: Api) -> None:
    last = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": LAST}}
    for namespace in [*build_namespaces(), last]:
        api.create(namespace)


@pytest.fixture(scope="module")
def client(plane: ControlPlane) -> Client:
    return connect(plane.kubeconfig("explain", plane.admin_token))


@pytest.fixture
def clean(api: Api) -> Iterator[None]:
    """Delete all pods and nodes after the test."""
    yield
    for namespace in (*NAMESPACES, LAST):
        api.delete_all("Pod", namespace)
    api.delete_all("Node")


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize("seed", WORLDS)
def test_every_node_gets_the_verdict_of_kube_scheduler(seed: int, api: Api, client: Client) -> None:
    random = Random(seed)
    build(api, random)
    placed = draw_pod(random, read_snapshot(client))
    snapshot = read_snapshot(client)
    verdicts = run_filters(with_defaults(placed), snapshot)
    disagreements: list[str] = []

    fitting = [verdict.node for verdict in verdicts if verdict.fits]
    expected = " or ".join(fitting) or summarize([verdict.reasons for verdict in verdicts])
    actual = schedule(api, placed)
    if actual not in (fitting or [expected]):
        disagreements.append(f"expected {expected}, kube-scheduler: {actual}")

    for node in [verdict.node for verdict in verdicts]:
        only = on_one_node(placed, node)  # fewer nodes count for a topology spread constraint then
        found = run_filters(with_defaults(only), snapshot)
        fits = any(each.fits for each in found)
        expected = node if fits else summarize([each.reasons for each in found])
        actual = schedule(api, only)
        if actual != expected:
            disagreements.append(f"{node}: expected {expected}, kube-scheduler: {actual}")
    assert not disagreements, report(seed, disagreements, placed, snapshot)


def build(api: Api, random: Random) -> None:
    """Create a random world, and return when the scheduler has seen all of it."""
    nodes = draw_nodes(random)
    for node in nodes:
        api.create(node)
    for each in draw_pods(random, nodes):
        create_in_state(api, each)
    last = {"metadata": {"name": "last", "labels": {HOSTNAME: "last"}}}
    api.create(nodes[0] | last | {"spec": {}} | _room())
    api.create(pod(LAST, {"last": ""}, node_name="last"))
    near = {"labelSelector": {"matchLabels": {"last": ""}}, "topologyKey": HOSTNAME}
    in_last = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": LAST}}}
    affinity = {"podAffinity": {REQUIRED: [near | in_last]}}
    needy = pod(LAST, {}, affinity=affinity, nodeSelector={HOSTNAME: "last"})
    until("kube-scheduler to see the world", lambda: schedule(api, needy) == "last")


def _room() -> Json:
    room = {"cpu": "1", "pods": "10"}
    return {"status": {"capacity": room, "allocatable": room}}


def create_in_state(api: Api, drawn: Json) -> None:
    """Create a pod, give it its phase, and delete it if it has the time of that."""
    metadata = api.create(drawn)["metadata"]
    path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
    if (phase := drawn["status"]["phase"]) != "Running":
        assert api.send("PATCH", f"{path}/status", {"status": {"phase": phase}}).is_success
    if "deletionTimestamp" in drawn["metadata"]:  # its kubelet would end it within this hour
        assert api.send("DELETE", path, gracePeriodSeconds=3600).is_success


def read_snapshot(client: Client) -> Snapshot:
    found = read_cluster(client, TARGET)
    assert not found.unread
    return take_snapshot(found.nodes, found.pods, found.namespaces)


def draw_pod(random: Random, snapshot: Snapshot) -> Json:
    labels = [node["metadata"]["labels"] for node in snapshot.nodes]
    values = {key: {each[key] for each in labels if key in each} for key in ("cores", "mem")}
    return draw_convertor_pod(random, ClusterState(values))


def on_one_node(placed: Json, node: str) -> Json:
    """Restrict a pod to this node, so that the scheduler reports its verdict on that one."""
    spec, affinity = placed["spec"], placed["spec"].get("affinity") or {}
    here = [{"key": "metadata.name", "operator": "In", "values": [node]}]
    node_affinity = affinity.get("nodeAffinity") or {}
    terms = (node_affinity.get(REQUIRED) or {}).get("nodeSelectorTerms") or [{}]
    required = {"nodeSelectorTerms": [term | {"matchFields": here} for term in terms]}
    affinity = affinity | {"nodeAffinity": node_affinity | {REQUIRED: required}}
    return placed | {"spec": spec | {"affinity": affinity}}


def schedule(api: Api, pod_object: Json) -> str:
    """Create a pod; return the node that the scheduler chooses or its message; delete the pod."""
    metadata = api.create(pod_object)["metadata"]
    name, namespace = metadata["name"], metadata["namespace"]

    def decided() -> str:
        found = api.get("Pod", name, namespace)
        conditions = found.get("status", {}).get("conditions", [])
        unschedulable = [c["message"] for c in conditions if c.get("reason") == "Unschedulable"]
        return found["spec"].get("nodeName") or (shorten(unschedulable[0]) if unschedulable else "")

    try:
        return until(f"kube-scheduler to decide on pod {name}", decided)
    finally:
        with suppress(StatusError):
            api.delete("Pod", name, namespace)


def shorten(message: str) -> str:
    """Return `0/3 nodes are available: 1 Insufficient cpu, 2 Too many pods` of a message."""
    return message.partition(". ")[0].removesuffix(".")


def summarize(reasons: list[list[str]]) -> str:
    """Return the scheduler's message for nodes with these reasons."""
    counts = Counter(reason for of_node in reasons for reason in of_node)
    if set(counts) == {"pod affinity terms conflict"}:
        return f"0/{len(reasons)} nodes are available: pod affinity terms conflict"
    texts = sorted(f"{count} {reason}" for reason, count in counts.items())
    return f"0/{len(reasons)} nodes are available: {', '.join(texts)}"


def report(seed: int, disagreements: list[str], placed: Json, snapshot: Snapshot) -> str:
    pods = [each for on_node in snapshot.pods.values() for each in on_node]
    objects = {"pod": placed, "nodes": snapshot.nodes, "pods": pods}
    return "\n".join([f"seed {seed}", *disagreements, json.dumps(objects, indent=1)])
