"""Kubernetes objects, reviews and a kubeconfig for tests, which name only what they are about."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from webhook.kube.objects import Json
from webhook.model import Plan, Request, Settings

PREFIX = "convertor.forklift.konveyor.io"
POD_KIND = {"group": "", "version": "v1", "kind": "Pod"}
PLAN_KIND = {"group": "forklift.konveyor.io", "version": "v1beta1", "kind": "Plan"}
CONVERTOR_LABELS = {"forklift.app": "virt-v2v", "plan": "b277", "vmID": "vm-1"}
HOST, ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"


def plan(
    name: str = "db",
    namespace: str = "konveyor-forklift",
    *,
    metadata: Json | None = None,
    spec: Json | None = None,
    annotations: Mapping[str, str] | None = None,
    **settings: str,
) -> Json:
    """Return a Plan with settings in its annotations, which are named without their prefix.

    A `_` in the name of a keyword is a `-` in that of the annotation.
    """
    named = {key.replace("_", "-"): text for key, text in settings.items()}
    named |= annotations or {}
    prefixed = {f"{PREFIX}/{key}": text for key, text in named.items()}
    identity = {"name": name, "namespace": namespace, "uid": f"uid-{name}", "generation": 3}
    return {
        "apiVersion": "forklift.konveyor.io/v1beta1",
        "kind": "Plan",
        "metadata": identity | {"annotations": prefixed} | (metadata or {}),
        "spec": {"targetNamespace": "vms"} | (spec or {}),
    }


def node(
    name: str,
    labels: dict[str, str] | None = None,
    *,
    taints: tuple[str, ...] = (),
    allocatable: dict[str, str] | None = None,
    cordoned: bool = False,
) -> Json:
    """Return a node that runs VMs and has room for many pods; a taint is `KEY=VALUE:EFFECT`."""
    room = {"cpu": "16", "memory": "64Gi", "pods": "110", "devices.kubevirt.io/kvm": "1k"}
    spec: Json = {"taints": [_taint(text) for text in taints]}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {HOST: name, "kubevirt.io/schedulable": "true"} | (labels or {}),
        },
        "spec": spec | ({"unschedulable": True} if cordoned else {}),
        "status": {"allocatable": room | (allocatable or {})},
    }


def namespace(name: str, **labels: str) -> Json:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def pod(
    path: str,
    node_name: str = "",
    labels: dict[str, str] | None = None,
    *,
    metadata: Json | None = None,
    status: Json | None = None,
    cpu: str = "",
    **spec: Any,
) -> Json:
    """Return a running pod; `path` is its namespace and name, `cpu` its request."""
    namespace, _, name = path.partition("/")
    requests = {"cpu": cpu} if cpu else {}
    identity = {"name": name, "namespace": namespace, "labels": labels or {}}
    container = {"name": "main", "resources": {"requests": requests}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": identity | (metadata or {}),
        "spec": {"nodeName": node_name, "containers": [container], **spec},
        "status": status or {"phase": "Running"},
    }


def convertor_pod(
    name: str = "db-vm-1",
    node_name: str = "",
    message: str = "",
    *,
    plan: str = "db",
    **fields: Any,
) -> Json:
    """Return a pod of a plan; without a node it is unschedulable for the reason in `message`."""
    labels = {"forklift.app": "virt-v2v", "plan": f"uid-{plan}", "app": "virt-v2v"}
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    pending = {"phase": "Pending", "conditions": [condition | {"message": message}]}
    status = {"phase": "Running"} if node_name else pending
    return pod(f"vms/{name}", node_name, labels, cpu="1", status=status, **fields)


def minimal_pod(labels: Json | None = None, *, metadata: Json | None = None, **spec: Any) -> Json:
    """Return a pod with the labels of a convertor pod, and nothing that is not given."""
    labels = CONVERTOR_LABELS | (labels or {})
    metadata = {"labels": labels} | (metadata or {})
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def admission_review(item: Json, **request: Any) -> Json:
    """Return the AdmissionReview that the API server sends about an object.

    The further fields are those of its request.
    """
    return {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "u-1",
            "kind": PLAN_KIND if item.get("kind") == "Plan" else POD_KIND,
            "operation": "CREATE",
            "namespace": "target",
            "object": item,
        }
        | request,
    }


def encode_review(item: Json, **request: Any) -> bytes:
    """Return an AdmissionReview as it is sent."""
    return json.dumps(admission_review(item, **request)).encode()


def kubeconfig(
    server: str, *, namespace: str = "here", ca: Path | None = None, **user: str
) -> Json:
    """Return a kubeconfig whose only context is `fake`."""
    trust = {"certificate-authority": str(ca)} if ca else {}
    context = {"cluster": "fake", "user": "fake", "namespace": namespace}
    return {
        "clusters": [{"name": "fake", "cluster": {"server": server} | trust}],
        "users": [{"name": "fake", "user": user}],
        "contexts": [{"name": "fake", "context": context}],
        "current-context": "fake",
    }


def parsed_plan(name: str = "db", /, **settings: Any) -> Plan:
    """Return a Plan with these settings, as `webhook.settings.read` does."""
    return Plan("konveyor-forklift", name, "b277", 3, "target", Settings(**settings))


def decoded_request(item: Json | None = None, **changes: str) -> Request:
    """Return the request of a pod's review, as `webhook.admission.review.decode` does."""
    request = {"uid": "1", "operation": "CREATE", "kind": "v1/Pod", "namespace": "target"}
    return msgspec.convert(request | changes | {"object": item or minimal_pod()}, Request)


def _taint(text: str) -> Json:
    key, _, effect = text.rpartition(":")
    key, _, value = key.partition("=")
    return {"key": key, "effect": effect} | ({"value": value} if value else {})
