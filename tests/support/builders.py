"""Kubernetes objects for tests."""

from typing import Any

from webhook.kube.objects import Json


def plan(name: str = "db", namespace: str = "konveyor-forklift", **more: Any) -> Json:
    """Return a Plan; `annotations` are those of the webhook, without their prefix."""
    annotations = {
        f"convertor.forklift.konveyor.io/{key}": text
        for key, text in more.pop("annotations", {}).items()
    }
    return {
        "apiVersion": "forklift.konveyor.io/v1beta1",
        "kind": "Plan",
        "metadata": {"name": name, "namespace": namespace, "uid": f"uid-{name}"}
        | ({"annotations": annotations} if annotations else {}),
        "spec": {"targetNamespace": "vms", **more},
    }
