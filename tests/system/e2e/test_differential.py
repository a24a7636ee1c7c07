"""What `webhook.kube.scheduler` says of a pod is what kube-scheduler says, node by node."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from random import Random

import pytest

from tests.support.worlds import NAMESPACES, TARGET, build_namespaces, draw_nodes, draw_pods
from tests.support.worlds import draw_plan as draw_plan_object
from tests.system.controlplane.api import Api, Json, Refused
from tests.system.controlplane.cluster import ControlPlane
from tests.system.controlplane.process import until
from tests.system.e2e.world import HOSTNAME, pod
from webhook import settings
from webhook.cli.explain.read import read_cluster
from webhook.kube.affinity import REQUIRED
from webhook.kube.api.client import Client, connect
from webhook.kube.scheduler import Snapshot, run_filters, take_snapshot
from webhook.kube.scheduler.defaulting import with_defaults
from webhook.model import Installation
from webhook.placement import place
from webhook.reports.model_pod import build_model_pod

WORLDS = range(240)
LAST = "last-drawn"
"""Namespace, made last, of the pods by which the scheduler is known to have seen a world."""


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
    """Leave nothing in the cluster."""
    yield
    for namespace in (*NAMESPACES, LAST):
        api.delete_all("Pod", namespace)
    api.delete_all("Node")


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize("seed", WORLDS)
def test_every_node_is_judged_as_kube_scheduler_judges_it(
    seed: int, api: Api, client: Client
) -> None:
    random = Random(seed)
    build(api, random)
    placed = draw_pod(random, world_of(client))
    world = world_of(client)
    verdicts = run_filters(with_defaults(placed), world)
    disagreements: list[str] = []

    fitting = [verdict.node for verdict in verdicts if verdict.fits]
    expected = " or ".join(fitting) or told([verdict.reasons for verdict in verdicts])
    said = ask(api, placed)
    if said not in (fitting or [expected]):
        disagreements.append(f"expected {expected}, kube-scheduler says {said}")

    for verdict in verdicts:
        only = on_one_node(placed, verdict.node)
        reasons = [each.reasons for each in run_filters(with_defaults(only), world)]
        expected = verdict.node if verdict.fits else told(reasons)
        said = ask(api, only)
        if said != expected:
            disagreements.append(f"{verdict.node}: expected {expected}, kube-scheduler says {said}")
    assert not disagreements, report(seed, disagreements, placed, world)


def build(api: Api, random: Random) -> None:
    """Create a world that the scheduler has seen, to the last pod."""
    nodes = draw_nodes(random)
    for node in nodes:
        api.create(node)
    for each in draw_pods(random, nodes):
        create_in_phase(api, each)
    last = {"metadata": {"name": "last", "labels": {HOSTNAME: "last"}}}
    api.create(nodes[0] | last | {"spec": {}} | _room())
    api.create(pod(LAST, {"last": ""}, node_name="last"))
    near = {"labelSelector": {"matchLabels": {"last": ""}}, "topologyKey": HOSTNAME}
    in_last = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": LAST}}}
    affinity = {"podAffinity": {REQUIRED: [near | in_last]}}
    needy = pod(LAST, {}, affinity=affinity, nodeSelector={HOSTNAME: "last"})
    until("kube-scheduler to see the world", lambda: ask(api, needy) == "last")


def _room() -> Json:
    room = {"cpu": "1", "pods": "10"}
    return {"status": {"capacity": room, "allocatable": room}}


def create_in_phase(api: Api, drawn: Json) -> None:
    metadata = api.create(drawn)["metadata"]
    if (phase := drawn["status"]["phase"]) != "Running":
        path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}/status"
        assert api.send("PATCH", path, {"status": {"phase": phase}}).is_success


def world_of(client: Client) -> Snapshot:
    found = read_cluster(client, TARGET)
    assert not found.unread
    return take_snapshot(found.nodes, found.pods, found.namespaces)


def draw_pod(random: Random, world: Snapshot) -> Json:
    """Draw a plan, and return what a convertor pod of it looks like."""
    plan_object = draw_plan_object(random)
    plan = settings.read(plan_object, Installation())
    labels = [node["metadata"]["labels"] for node in world.nodes]
    values = {key: {each[key] for each in labels if key in each} for key in ("cores", "mem")}
    return place(build_model_pod(plan, plan_object["spec"]), plan, Installation(), values).pod


def on_one_node(placed: Json, node: str) -> Json:
    """Let a pod onto this node only, so that the scheduler tells what it thinks of that one."""
    spec, affinity = placed["spec"], placed["spec"].get("affinity") or {}
    here = [{"key": "metadata.name", "operator": "In", "values": [node]}]
    node_affinity = affinity.get("nodeAffinity") or {}
    terms = (node_affinity.get(REQUIRED) or {}).get("nodeSelectorTerms") or [{}]
    required = {"nodeSelectorTerms": [term | {"matchFields": here} for term in terms]}
    affinity = affinity | {"nodeAffinity": node_affinity | {REQUIRED: required}}
    return placed | {"spec": spec | {"affinity": affinity}}


def ask(api: Api, asked: Json) -> str:
    """Return the node that the scheduler gives a pod, or what it says; the pod is gone again."""
    metadata = api.create(asked)["metadata"]
    name, namespace = metadata["name"], metadata["namespace"]

    def answered() -> str:
        found = api.get("Pod", name, namespace)
        conditions = found.get("status", {}).get("conditions", [])
        unschedulable = [c["message"] for c in conditions if c.get("reason") == "Unschedulable"]
        return found["spec"].get("nodeName") or (counted(unschedulable[0]) if unschedulable else "")

    try:
        return until(f"kube-scheduler to decide on pod {name}", answered)
    finally:
        with suppress(Refused):
            api.delete("Pod", name, namespace)


def counted(message: str) -> str:
    """Return `0/3 nodes are available: 1 Insufficient cpu, 2 Too many pods` of a longer message."""
    return message.partition(". ")[0].removesuffix(".")


def told(reasons: list[list[str]]) -> str:
    """Return what the scheduler says of nodes that have these reasons."""
    counts = Counter(reason for of_node in reasons for reason in of_node)
    if set(counts) == {"pod affinity terms conflict"}:
        return f"0/{len(reasons)} nodes are available: pod affinity terms conflict"
    texts = sorted(f"{count} {reason}" for reason, count in counts.items())
    return f"0/{len(reasons)} nodes are available: {', '.join(texts)}"


def report(seed: int, disagreements: list[str], placed: Json, world: Snapshot) -> str:
    pods = [each for there in world.pods.values() for each in there]
    shown = {"pod": placed, "nodes": world.nodes, "pods": pods}
    return "\n".join([f"seed {seed}", *disagreements, json.dumps(shown, indent=1)])
