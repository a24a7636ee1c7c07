"""The nodes and pods of a row, on the real control plane."""

import itertools

from tests.system.controlplane.api import Api, Json, StatusError
from tests.system.controlplane.process import until
from tests.system.guide.rows import Neighbour, Node, Row

DISK = "disk"
"""The volume of all claims; it is a network volume, which every node can access."""

SETTLED = "settled"
"""The namespace of the pods that show that the scheduler has seen all objects."""

HOSTNAME = "kubernetes.io/hostname"

ALWAYS_THERE = {
    "no-vms": Node(cpu=64, runs_vms=False),
    "control-plane": Node(cpu=64, taints=["node-role.kubernetes.io/control-plane:NoSchedule"]),
}
"""Nodes on which no convertor pod may run, although they have much free capacity."""

_numbers = itertools.count(1)


def node(name: str, row_node: Node) -> Json:
    """Return a Node for 110 pods; if it runs VMs, with KubeVirt's label and device."""
    labels = {
        HOSTNAME: name,
        "topology.kubernetes.io/zone": row_node.zone,
        "topology.kubernetes.io/region": "here",
    }
    room = {"cpu": str(row_node.cpu), "memory": "256Gi", "pods": "110", "ephemeral-storage": "1Ti"}
    if row_node.runs_vms:
        labels["kubevirt.io/schedulable"] = "true"
        room["devices.kubevirt.io/kvm"] = "1k"
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels | row_node.labels},
        "spec": {"taints": [_taint(text) for text in row_node.taints]},
        "status": {"capacity": room, "allocatable": room},
    }


def pod(
    namespace: str, labels: dict[str, str], *, node_name: str = "", cpu: int = 0, **spec: object
) -> Json:
    """Return a pod of another workload; with a node it is already bound."""
    container = {"name": "main", "image": "none", "resources": {"requests": {"cpu": str(cpu)}}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"generateName": "pod-", "namespace": namespace, "labels": labels},
        "spec": {"nodeName": node_name, "containers": [container], **spec},
    }


class RowCluster:
    """The nodes and pods of a row. The scheduler sees all pods, so use one at a time."""

    def __init__(self, api: Api, row: Row, *, binder: bool = False) -> None:
        """Take the row; `build` creates its objects.

        Args:
            api: the client.
            row: the nodes and pods.
            binder: kube-controller-manager runs, and binds claims. Importers run as well, which
                need no node that runs VMs, so all nodes are those of the row.

        """
        self.api, self.row, self._binder = api, row, binder
        self.nodes = row.nodes if binder else row.nodes | ALWAYS_THERE

    def build(self) -> None:
        """Create all objects, and return when the scheduler has seen them."""
        for name, row_node in self.nodes.items():
            self.api.create(node(name, row_node))
        for neighbour in self.row.pods:
            self.api.create(_neighbour(neighbour))
        settle(self.api, binder=self._binder)

    def remove(self) -> None:
        for namespace in {neighbour.namespace for neighbour in self.row.pods}:
            self.api.delete_all("Pod", namespace)
        for name in self.nodes:
            self.api.delete("Node", name)


def settle(api: Api, *, binder: bool = False) -> None:
    """Return when the scheduler has seen all nodes, pods and claims that were created before.

    Its watches each keep the order. So one more of each is created, and a pod that needs all three;
    but no claim if kube-controller-manager runs, whose binder would have to bind it.
    """
    number = str(next(_numbers))
    last = Node(cpu=1, labels={SETTLED: number}, taints=[f"{SETTLED}:NoSchedule"], runs_vms=False)
    api.create(node(f"settled-{number}", last))
    api.create(pod(SETTLED, {SETTLED: number}, node_name=f"settled-{number}"))
    if not binder:
        claim(api, SETTLED, f"disk-{number}")
    volume = {"name": "d", "persistentVolumeClaim": {"claimName": f"disk-{number}"}}
    needs = {"labelSelector": {"matchLabels": {SETTLED: number}}, "topologyKey": HOSTNAME}
    needy = pod(
        SETTLED,
        {},
        nodeSelector={SETTLED: number},
        tolerations=[{"operator": "Exists"}],
        affinity={"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [needs]}},
        volumes=[] if binder else [volume],
    )

    def bound() -> bool:
        """Try with a new pod: the scheduler would retry an unschedulable one after a second."""
        name = api.create(needy)["metadata"]["name"]

        def decided() -> Json | None:
            found = api.get("Pod", name, SETTLED)
            return (
                found
                if found["spec"].get("nodeName") or found["status"].get("conditions")
                else None
            )

        return "nodeName" in until("kube-scheduler to decide on a pod", decided)["spec"]

    until("kube-scheduler to see all objects", bound)
    api.delete_all("Pod", SETTLED)
    api.delete_all("PersistentVolumeClaim", SETTLED)
    api.delete("Node", f"settled-{number}")


def claim(api: Api, namespace: str, name: str, labels: dict[str, str] | None = None) -> None:
    """Create a bound claim, unless it exists; no controller would bind it."""
    try:
        api.create(
            {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": {
                    "name": name,
                    "namespace": namespace,
                    "labels": labels or {},
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
    except StatusError as error:
        if error.reason != "AlreadyExists":
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


def _neighbour(neighbour: Neighbour) -> Json:
    return pod(neighbour.namespace, neighbour.labels, node_name=neighbour.node, cpu=neighbour.cpu)


def _taint(text: str) -> Json:
    """Read `key=value:Effect` or `key:Effect`."""
    key, _, effect = text.rpartition(":")
    key, _, value = key.partition("=")
    return {"key": key, "value": value, "effect": effect}
