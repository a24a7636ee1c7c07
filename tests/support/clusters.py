"""Nodes, pods and plans in short, for the tests of explanations."""

from typing import Any

from webhook.kube.objects import Json

HOST, ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"
PREFIX = "convertor.forklift.konveyor.io"


def node(
    name: str,
    labels: dict[str, str] | None = None,
    *,
    taints: tuple[str, ...] = (),
    room: dict[str, str] | None = None,
    cordoned: bool = False,
) -> Json:
    """Return a node that runs VMs, with room for everything but what `room` says."""
    allocatable = {"cpu": "16", "memory": "64Gi", "pods": "110", "devices.kubevirt.io/kvm": "1k"}
    spec: Json = {"taints": [_taint(text) for text in taints]}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {HOST: name, "kubevirt.io/schedulable": "true"} | (labels or {}),
        },
        "spec": spec | ({"unschedulable": True} if cordoned else {}),
        "status": {"allocatable": allocatable | (room or {})},
    }


def pod(path: str, node_name: str = "", labels: dict[str, str] | None = None, **spec: Any) -> Json:
    """Return a pod; `path` is its namespace and name, and `cpu` what it asks for."""
    namespace, _, name = path.partition("/")
    requests = {"cpu": spec.pop("cpu")} if "cpu" in spec else {}
    status = spec.pop("status", {"phase": "Running"})
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": labels or {}},
        "spec": {
            "nodeName": node_name,
            "containers": [{"name": "main", "resources": {"requests": requests}}],
            **spec,
        },
        "status": status,
    }


def convertor_pod(name: str, node_name: str = "", message: str = "", **spec: Any) -> Json:
    """Return a pod of the plan `db`; without a node it waits, and the scheduler says `message`."""
    labels = {"forklift.app": "virt-v2v", "plan": "uid-db", "app": "virt-v2v"}
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    waiting = {"phase": "Pending", "conditions": [condition | {"message": message}]}
    status = {"phase": "Running"} if node_name else waiting
    return pod(f"vms/{name}", node_name, labels, cpu="1", status=status, **spec)


def namespace(name: str, **labels: str) -> Json:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def plan(spec: Json | None = None, **annotations: str) -> Json:
    """Return the Plan `db`; a `_` in the name of an annotation is a `-`."""
    return {
        "apiVersion": "forklift.konveyor.io/v1beta1",
        "kind": "Plan",
        "metadata": {
            "name": "db",
            "namespace": "konveyor-forklift",
            "uid": "uid-db",
            "annotations": {
                f"{PREFIX}/{name.replace('_', '-')}": text for name, text in annotations.items()
            },
        },
        "spec": {"targetNamespace": "vms", **(spec or {})},
    }


def _taint(text: str) -> Json:
    key, _, effect = text.rpartition(":")
    key, _, value = key.partition("=")
    return {"key": key, "effect": effect} | ({"value": value} if value else {})
