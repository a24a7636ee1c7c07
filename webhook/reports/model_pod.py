"""The convertor pod that Forklift would create next, for plans that have none yet.

It has the fields that kube-scheduler uses, with the values of Forklift's pod builder
(tests/data/pods).
"""

from typing import Any

from webhook.forklift.labels import CONVERTOR_LABEL, CONVERTOR_VALUE, FORKLIFT_SPREADING_TERM
from webhook.kube.affinity_validation import validate_affinity
from webhook.kube.objects import Json, nested_map
from webhook.model import Plan

MODEL_NAME = "convertor-pod"

_REQUESTS = {"cpu": "1", "memory": "1Gi", "devices.kubevirt.io/kvm": "1"}
_VDDK_REQUESTS = {"cpu": "100m", "memory": "150Mi"}
_SPREADING = {
    "podAntiAffinity": {
        "preferredDuringSchedulingIgnoredDuringExecution": [FORKLIFT_SPREADING_TERM]
    }
}


def build_model_pod(plan: Plan, spec: Json) -> Json:
    """Return the pod of a VM from vSphere, which requests KVM.

    Forklift applies the convertor fields of the Plan's `spec` by itself, from 2.10 on; older
    releases have no such fields, so there they are never set.
    """
    labels = {
        CONVERTOR_LABEL: CONVERTOR_VALUE,
        "plan": plan.uid,
        "plan-name": plan.name,
        "plan-namespace": plan.namespace,
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": MODEL_NAME,
            "namespace": plan.target_namespace,
            "labels": _strings(spec, "convertorLabels") | labels,
        },
        "spec": {
            "nodeSelector": {
                "kubevirt.io/schedulable": "true",
                **_strings(spec, "convertorNodeSelector"),
            },
            "affinity": _affinity(spec.get("convertorAffinity")) or _SPREADING,
            "initContainers": [_container("vddk-side-car", _VDDK_REQUESTS)],
            "containers": [_container(CONVERTOR_VALUE, _REQUESTS)],
            "restartPolicy": "Never",
        },
    }


def _affinity(value: Any) -> Json:
    """Return the Plan's affinity if the API server would accept it in a pod."""
    return value if value and not validate_affinity(value) else {}


def _container(name: str, requests: dict[str, str]) -> Json:
    limits = {key: value for key, value in requests.items() if "/" in key}
    return {
        "name": name,
        "image": name,
        "resources": {"requests": requests, "limits": limits},
    }


def _strings(spec: Json, field: str) -> dict[str, str]:
    return {key: text for key, text in nested_map(spec, field).items() if isinstance(text, str)}
