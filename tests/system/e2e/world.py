"""A row's small cluster on the real control plane."""

import itertools

from tests.system.controlplane.api import Api, Json, Refused
from tests.system.controlplane.process import until
from tests.system.guide.rows import Neighbour, Node, Row

DISK = "disk"
"""The one volume that all claims have; it is on the network and binds no pod to a node."""

SETTLED = "settled"
"""Namespace of the pods by which a world knows that the scheduler has seen all of it."""

HOSTNAME = "kubernetes.io/hostname"

ALWAYS_THERE = {
    "no-vms": Node(cpu=64, runs_vms=False),
    "control-plane": Node(cpu=64, taints=["node-role.kubernetes.io/control-plane:NoSchedule"]),
}
"""Nodes where no convertor pod may ever land, however much room they have."""

_numbers = itertools.count(1)


def node(name: str, said: Node) -> Json:
    """Return a node, with room for 110 pods and, where VMs run, KubeVirt's label and device."""
    labels = {
        HOSTNAME: name,
        "topology.kubernetes.io/zone": said.zone,
        "topology.kubernetes.io/region": "here",
    }
    room = {"cpu": str(said.cpu), "memory": "256Gi", "pods": "110", "ephemeral-storage": "1Ti"}
    if said.runs_vms:
        labels["kubevirt.io/schedulable"] = "true"
        room["devices.kubevirt.io/kvm"] = "1k"
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels | said.labels},
        "spec": {"taints": [_taint(text) for text in said.taints]},
        "status": {"capacity": room, "allocatable": room},
    }


def pod(
    namespace: str, labels: dict[str, str], *, node_name: str = "", cpu: int = 0, **spec: object
) -> Json:
    """Return a pod of somebody else's; with a node it is there already."""
    container = {"name": "main", "image": "none", "resources": {"requests": {"cpu": str(cpu)}}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"generateName": "pod-", "namespace": namespace, "labels": labels},
        "spec": {"nodeName": node_name, "containers": [container], **spec},
    }


class World:
    """The nodes and pods of a row. The scheduler sees all pods, so there is one world at a time."""

    def __init__(self, api: Api, row: Row) -> None:
        self.api, self.row = api, row
        self.nodes = row.nodes | ALWAYS_THERE

    def build(self) -> None:
        """Create everything, and return when the scheduler knows of it."""
        for name, said in self.nodes.items():
            self.api.create(node(name, said))
        for neighbour in self.row.pods:
            self.api.create(_neighbour(neighbour))
        settle(self.api)

    def remove(self) -> None:
        for namespace in {neighbour.namespace for neighbour in self.row.pods}:
            self.api.delete_all("Pod", namespace)
        for name in self.nodes:
            self.api.delete("Node", name)


def settle(api: Api) -> None:
    """Return when the scheduler has seen everything that was created before.

    It hears of nodes, pods and claims each in their order. So a last one of each is made, and a
    pod that needs all three.
    """
    number = str(next(_numbers))
    last = Node(cpu=1, labels={SETTLED: number}, taints=[f"{SETTLED}:NoSchedule"], runs_vms=False)
    api.create(node(f"settled-{number}", last))
    api.create(pod(SETTLED, {SETTLED: number}, node_name=f"settled-{number}"))
    claim(api, SETTLED, f"disk-{number}")
    needs = {"labelSelector": {"matchLabels": {SETTLED: number}}, "topologyKey": HOSTNAME}
    needy = pod(
        SETTLED,
        {},
        nodeSelector={SETTLED: number},
        tolerations=[{"operator": "Exists"}],
        affinity={"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [needs]}},
        volumes=[{"name": "d", "persistentVolumeClaim": {"claimName": f"disk-{number}"}}],
    )

    def bound() -> bool:
        """Try with a pod of its own: one that came too early is tried again after a second."""
        name = api.create(needy)["metadata"]["name"]

        def decided() -> Json | None:
            found = api.get("Pod", name, SETTLED)
            return (
                found
                if found["spec"].get("nodeName") or found["status"].get("conditions")
                else None
            )

        return "nodeName" in until("kube-scheduler to look at a pod", decided)["spec"]

    until("kube-scheduler to see the world", bound)
    api.delete_all("Pod", SETTLED)
    api.delete_all("PersistentVolumeClaim", SETTLED)
    api.delete("Node", f"settled-{number}")


def claim(api: Api, namespace: str, name: str) -> None:
    """Have a bound claim of this name; nobody is there to bind one."""
    try:
        api.create(
            {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": {
                    "name": name,
                    "namespace": namespace,
                    "annotations": {"pv.kubernetes.io/bind-completed": "yes"},
                },
                "spec": {
                    "volumeName": DISK,
                    "storageClassName": "",
                    "accessModes": ["ReadWriteMany"],
                    "resources": {"requests": {"storage": "1Gi"}},
                },
            }
        )
    except Refused as refused:
        if refused.reason != "AlreadyExists":
            raise


def disk() -> Json:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": DISK},
        "spec": {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteMany"],
            "nfs": {"server": "127.0.0.1", "path": "/"},
        },
    }


def _neighbour(said: Neighbour) -> Json:
    return pod(said.namespace, said.labels, node_name=said.node, cpu=said.cpu)


def _taint(text: str) -> Json:
    """Read `key=value:Effect` or `key:Effect`."""
    key, _, effect = text.rpartition(":")
    key, _, value = key.partition("=")
    return {"key": key, "value": value, "effect": effect}
