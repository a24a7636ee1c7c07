"""The pods that Forklift and CDI would create next for a plan, one for each role.

They have the fields that kube-scheduler uses and by which their role is recognized, with the values
of the builders of Forklift and CDI (tests/data/pods, tests/data/migration-pods).
"""

from typing import Any

from webhook.forklift.labels import (
    CDI_APP,
    CONVERTOR_LABEL,
    CONVERTOR_VALUE,
    FORKLIFT_SPREADING_TERM,
    SCHEDULABLE_LABEL,
)
from webhook.forklift.roles import (
    DEEP_INSPECTION,
    IMPORTER_CONTAINER,
    IMPORTER_LABEL,
    IMPORTER_VALUE,
    POPULATOR_LABEL,
    POPULATOR_PREFIX,
)
from webhook.kube.affinity_validation import validate_affinity
from webhook.kube.objects import Json, nested_strings
from webhook.model import Plan, Role

MODEL_NAME = "convertor-pod"
MODEL_PVC = "model-disk"
"""The PVC of the model importer and populator, which does not exist."""
_MODEL_PVC_UID = "00000000-0000-4000-8000-000000000000"

_KVM = "devices.kubevirt.io/kvm"
_RUNS_VMS = {SCHEDULABLE_LABEL: "true"}
_REQUESTS = {"cpu": "1", "memory": "1Gi", _KVM: "1"}
_VDDK_REQUESTS = {"cpu": "100m", "memory": "150Mi"}
_INSPECTION_REQUESTS = {"cpu": "100m", "memory": "512Mi", _KVM: "1"}
_IMPORTER_REQUESTS = {"cpu": "100m", "memory": "60M"}
_POPULATOR_REQUESTS = {"cpu": "100m", "memory": "512Mi"}
_SPREADING = {
    "podAntiAffinity": {
        "preferredDuringSchedulingIgnoredDuringExecution": [FORKLIFT_SPREADING_TERM]
    }
}


def build_model_pod(plan: Plan, spec: Json, role: Role = Role.CONVERTOR) -> Json:
    """Return a pod of this role for a VM from vSphere, which requests KVM where Forklift does.

    The first consumer of a warm plan is an importer, that of another one a pod that Forklift
    creates only to bind volumes. An inspection is a deep one. `spec` is the spec of the Plan: its
    convertor fields are applied to convertor pods as Forklift does from 2.10 on; older releases
    have no such fields, so there they are never set.
    """
    if role is Role.CONVERTOR:
        return _build_convertor(plan, spec)
    if role is Role.INSPECTION:
        return _build_inspection(plan)
    if role is Role.POPULATOR:
        return _build_populator(plan)
    if role is Role.IMPORTER or is_warm(spec):
        return _build_importer(plan)
    return _build_consumer(plan)


def is_warm(spec: Json) -> bool:
    """Return whether the Plan with this spec migrates its VMs while they run."""
    return spec["type"] == "warm" if spec.get("type") else spec.get("warm") is True


def _build_convertor(plan: Plan, spec: Json) -> Json:
    return _pod(
        plan,
        MODEL_NAME,
        labels=nested_strings(spec, "convertorLabels") | {CONVERTOR_LABEL: CONVERTOR_VALUE},
        spec={
            "nodeSelector": _RUNS_VMS | nested_strings(spec, "convertorNodeSelector"),
            "affinity": _affinity(spec.get("convertorAffinity")) or _SPREADING,
            "initContainers": [_container("vddk-side-car", _VDDK_REQUESTS)],
            "containers": [_container(CONVERTOR_VALUE, _REQUESTS)],
        },
    )


def _build_inspection(plan: Plan) -> Json:
    return _pod(
        plan,
        "inspection-pod",
        namespace=plan.namespace,
        labels={CONVERTOR_LABEL: DEEP_INSPECTION},
        spec={
            "nodeSelector": _RUNS_VMS,
            "initContainers": [_container("vddk-side-car", _VDDK_REQUESTS)],
            "containers": [_container(DEEP_INSPECTION, _INSPECTION_REQUESTS)],
        },
    )


def _build_consumer(plan: Plan) -> Json:
    return _pod(
        plan,
        "consumer-pod",
        labels={CONVERTOR_LABEL: "consumer"},
        spec={"nodeSelector": _RUNS_VMS, "containers": [_container("main", _REQUESTS)]},
    )


def _build_importer(plan: Plan) -> Json:
    return _pod(
        plan,
        "importer-pod",
        labels={"app": CDI_APP, IMPORTER_LABEL: IMPORTER_VALUE},
        owners=[_owner(controller=True)],
        spec={
            "initContainers": [_container("vddk-side-car", _IMPORTER_REQUESTS)],
            "containers": [_container(IMPORTER_CONTAINER, _IMPORTER_REQUESTS)],
            "restartPolicy": "OnFailure",
        },
    )


def _build_populator(plan: Plan) -> Json:
    return _pod(
        plan,
        f"{POPULATOR_PREFIX}{_MODEL_PVC_UID}",
        labels={POPULATOR_LABEL: MODEL_PVC},
        owners=[_owner()],
        spec={"containers": [_container("populate", _POPULATOR_REQUESTS)]},
    )


def _pod(  # noqa: PLR0913 - the fields of a pod
    plan: Plan,
    name: str,
    *,
    labels: dict[str, str],
    spec: Json,
    namespace: str = "",
    owners: list[Json] | None = None,
) -> Json:
    plan_labels = {"plan": plan.uid, "plan-name": plan.name, "plan-namespace": plan.namespace}
    metadata = {
        "name": name,
        "namespace": namespace or plan.target_namespace,
        "labels": labels | plan_labels,
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata | ({"ownerReferences": owners} if owners else {}),
        "spec": {"restartPolicy": "Never"} | spec,
    }


def _owner(**fields: bool) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "name": MODEL_PVC,
        "uid": _MODEL_PVC_UID,
        **fields,
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
