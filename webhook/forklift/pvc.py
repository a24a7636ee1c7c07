"""The fields of a PersistentVolumeClaim that placement uses; nothing else is decoded."""

import re

import msgspec

from webhook.model import PlanRef, Pvc

PRIME_PATTERN = re.compile(r"prime-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")
"""The name of a PVC through which CDI, or a populator of Forklift, fills the one with this UID."""


class PvcLabels(msgspec.Struct, rename="kebab", omit_defaults=True):
    """The labels that Forklift sets on the PVC of a disk."""

    plan: str = ""
    plan_name: str = ""
    plan_namespace: str = ""
    migration: str = ""
    vm: str = msgspec.field(name="vmID", default="")


class _Annotations(msgspec.Struct):
    bind_completed: str | None = msgspec.field(name="pv.kubernetes.io/bind-completed", default=None)


class _Metadata(msgspec.Struct):
    name: str
    namespace: str = ""
    uid: str = ""
    labels: PvcLabels | None = None
    annotations: _Annotations | None = None
    created: str | None = msgspec.field(name="creationTimestamp", default=None)
    deleted: str | None = msgspec.field(name="deletionTimestamp", default=None)
    resource_version: str = msgspec.field(name="resourceVersion", default="")


class _Spec(msgspec.Struct):
    storage_class: str | None = msgspec.field(name="storageClassName", default=None)
    volume: str | None = msgspec.field(name="volumeName", default=None)


class PvcObject(msgspec.Struct):
    """A PVC as decoded from the API server or a file."""

    metadata: _Metadata
    spec: _Spec | None = None

    def to_pvc(self) -> Pvc:
        """Return the PVC; it has a plan if its labels name one and it is not a prime PVC."""
        metadata, spec = self.metadata, self.spec or _Spec()
        labels = metadata.labels or PvcLabels()
        annotations = metadata.annotations or _Annotations()
        bound = annotations.bind_completed is not None
        return Pvc(
            namespace=metadata.namespace,
            name=metadata.name,
            uid=metadata.uid,
            created=metadata.created or "",
            ref=None if find_populated_uid(metadata.name) else _read_plan_ref(labels),
            migration=labels.migration,
            vm=labels.vm,
            storage_class=spec.storage_class or "",
            volume=(spec.volume or "") if bound else "",
            bound=bound,
            deleting=metadata.deleted is not None,
        )


def find_populated_uid(name: str) -> str:
    """Return the UID of the PVC that is filled through one named `prime-UID`, else empty."""
    match = PRIME_PATTERN.fullmatch(name)
    return match[1] if match else ""


def _read_plan_ref(labels: PvcLabels) -> PlanRef | None:
    if labels.plan or (labels.plan_name and labels.plan_namespace):
        return PlanRef(labels.plan, labels.plan_namespace, labels.plan_name)
    return None
