"""A conflict is found exactly if kube-scheduler leaves the convertor pod pending for its disks."""

from collections.abc import Iterator
from random import Random

import pytest

from tests.support import builders, pvcs
from tests.support.affinity_terms import is_in
from tests.support.builders import HOST, ZONE
from tests.system.controlplane.api import Api, Json
from tests.system.controlplane.process import until
from tests.system.e2e.row_cluster import pod
from tests.system.e2e.test_differential import schedule
from webhook import settings
from webhook.kube.objects import name_of
from webhook.model import ClusterState, Installation, Plan, SiblingDisk
from webhook.placement import place
from webhook.placement.conflicts import ConflictKind, ConflictSearch
from webhook.placement.disk_users import build_disk_users, describe_surroundings

SEEDS = range(60)
TARGET = "vms-in-conflict"
NODES = ("n1", "n2", "n3", "n4")
UNSEEN = ("not found", "non-existent", "unbound")
"""In the message of a pod whose volumes kube-scheduler does not know yet."""


@pytest.fixture(scope="module", autouse=True)
def namespace(api: Api) -> None:
    api.create(builders.namespace(TARGET))


@pytest.fixture(autouse=True)
def clean(api: Api) -> Iterator[None]:
    """Delete the objects of the test after it; other tests share volumes and nodes."""
    yield
    api.delete_all("Pod", TARGET)
    api.delete_all("PersistentVolumeClaim", TARGET)
    api.delete_all("PersistentVolume", labelSelector=f"of={TARGET}")
    for name in NODES:
        api.delete("Node", name)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_conflict_is_a_pod_that_stays_pending(seed: int, api: Api) -> None:
    random = Random(seed)
    nodes = draw_nodes(random)
    plan = draw_plan(random)
    disks = draw_disks(random, nodes)
    create(api, seed, nodes, disks)

    surroundings = describe_surroundings(nodes)
    users = build_disk_users(plan, Installation(), surroundings)
    conflicts = ConflictSearch(users, surroundings).find("vm-1", disks)
    of_convertor = [each for each in conflicts if each.kind is not ConflictKind.VM]

    scheduled = schedule_with_volumes(api, plan, nodes, disks)
    assert (scheduled in map(name_of, nodes)) is not bool(of_convertor), (
        f"seed {seed}: kube-scheduler: {scheduled}; conflicts: {conflicts}"
    )


def draw_nodes(random: Random) -> list[Json]:
    return [
        builders.node(
            name,
            {
                ZONE: random.choice("ab"),
                "disk": random.choice(["ssd", "nvme"]),
                "cores": random.choice(["8", "32"]),
            },
            taints=("gpu=x:NoSchedule",) if random.random() < 0.3 else (),
        )
        for name in NODES[: random.randint(2, 4)]
    ]


def draw_plan(random: Random) -> Plan:
    drawn = {
        "node-selector": random.choice(["", "disk=nvme", "cores=16+"]),
        "affinity": random.choice(["", f"REQUIRE nodes({ZONE}=a)", f"AVOID nodes({ZONE}=a)"]),
        "tolerations": random.choice(["", "gpu"]),
        "labels": "a=b",
    }
    annotations = {name: text for name, text in drawn.items() if text}
    plan_object = builders.plan(spec={"targetNamespace": TARGET}, annotations=annotations)
    return settings.read(plan_object, Installation())


def draw_disks(random: Random, nodes: list[Json]) -> list[SiblingDisk]:
    places = [
        [is_in(ZONE, "a")],
        [is_in(ZONE, "b")],
        [is_in(ZONE, "a"), is_in(ZONE, "b")],
        [is_in(HOST, random.choice([name_of(node) for node in nodes]))],
    ]
    return [
        SiblingDisk(f"disk-{number}", bound=True, node_terms=random.choice(places))
        for number in range(random.randint(1, 2))
    ]


def create(api: Api, seed: int, nodes: list[Json], disks: list[SiblingDisk]) -> None:
    for node in nodes:
        api.create(node)
    for disk in disks:
        volume = f"pv-{seed}-{disk.name}"
        rest: Json = {
            "hostPath": {"path": "/none"},
            "accessModes": ["ReadWriteOnce"],
            "claimRef": {"namespace": TARGET, "name": disk.name},
        }
        found = pvcs.volume(volume, disk.node_terms)
        metadata = found["metadata"] | {"labels": {"of": TARGET}}
        api.create(found | {"metadata": metadata, "spec": found["spec"] | rest})
        api.create(pvcs.pvc(disk.name, TARGET, volume=volume, storage_class=""))


def schedule_with_volumes(api: Api, plan: Plan, nodes: list[Json], disks: list[SiblingDisk]) -> str:
    """Return the node of a convertor pod with the disks, or why kube-scheduler finds none."""
    sent = pod(
        TARGET,
        {"forklift.app": "virt-v2v"},
        volumes=[
            {"name": disk.name, "persistentVolumeClaim": {"claimName": disk.name}} for disk in disks
        ],
    )
    cores = {node["metadata"]["labels"]["cores"] for node in nodes}
    placed = place(sent, plan, Installation(), ClusterState({"cores": cores})).pod

    def decided() -> str:
        found = schedule(api, placed)
        known = f"/{len(nodes)} nodes" in found or found in map(name_of, nodes)
        return found if known and not any(text in found for text in UNSEEN) else ""

    return until("kube-scheduler to know nodes and volumes", decided)
