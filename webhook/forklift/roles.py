"""The roles of the pods of a migration: recognized by their metadata, and by their PVC.

Forklift marks the pods that it creates with the label `forklift.app`. CDI's importers and
Forklift's populators have names and labels of their own; their PVC leads to the plan if their
labels do not.
"""

from collections.abc import Collection
from typing import Any, NamedTuple

from webhook.forklift.labels import CONVERTOR_LABEL
from webhook.forklift.owner import find_plan_ref, read_name
from webhook.kube.objects import Json, nested_map, nested_string
from webhook.model import Disk, MigrationPod, Plan, PvcRef, Role

DEEP_INSPECTION = "deep-inspection"
ROLES_BY_APP = {
    "virt-v2v": Role.CONVERTOR,
    "virt-v2v-inspection": Role.INSPECTION,
    DEEP_INSPECTION: Role.INSPECTION,
    "consumer": Role.FIRST_CONSUMER,
}
"""The roles of the pods that Forklift creates itself, by their label `forklift.app`."""

ROLES_WITH_PVC = frozenset({Role.FIRST_CONSUMER, Role.IMPORTER, Role.POPULATOR})
"""The roles of pods that their PVC may lead to their plan, or that depend on its state."""

IMPORTER_LABEL = "cdi.kubevirt.io"
IMPORTER_VALUE = "importer"
IMPORTER_PREFIX = "importer-"
IMPORTER_CONTAINER = "importer"
POPULATOR_LABEL = "pvcName"
POPULATOR_PREFIX = "populate-"
"""Followed by the UID of the PVC that is populated."""


class PodKind(NamedTuple):
    """A pod by its own metadata; an importer may be a first consumer by its PVC."""

    role: Role
    pvc: PvcRef | None = None
    """The PVC that an importer or a populator writes."""
    in_plan_namespace: bool = False
    """True for deep inspections."""


def recognize(
    metadata: Json, namespace: str, containers: Collection[str] | None = None
) -> PodKind | None:
    """Return the kind of a pod by its metadata; None if it is not a migration pod.

    `containers` are the names of its containers, None if they are not known. CDI's pods of clones
    and uploads, and importers that no PVC owns, are not migration pods.
    """
    labels = nested_map(metadata, "labels")
    app = labels.get(CONVERTOR_LABEL)
    if isinstance(app, str) and (role := ROLES_BY_APP.get(app)):
        return PodKind(role, in_plan_namespace=app == DEEP_INSPECTION)
    name = nested_string(metadata, "name")
    if labels.get(IMPORTER_LABEL) == IMPORTER_VALUE and name.startswith(IMPORTER_PREFIX):
        pvc = _find_controller(metadata.get("ownerReferences"), namespace)
        if pvc and (containers is None or IMPORTER_CONTAINER in containers):
            return PodKind(Role.IMPORTER, pvc)
    if name.startswith(POPULATOR_PREFIX) and (pvc_name := read_name(labels.get(POPULATOR_LABEL))):
        pvc = PvcRef(namespace, pvc_name, name.removeprefix(POPULATOR_PREFIX))
        return PodKind(Role.POPULATOR, pvc)
    return None


def resolve(
    kind: PodKind, metadata: Json, namespace: str, disk: Disk | None, *, has_node: bool = False
) -> MigrationPod | None:
    """Return the migration pod of a kind, with the disk that its PVC belongs to.

    None if neither its labels nor those of its PVC name a plan: an import of another user, or an
    inspection without a Plan. A convertor pod always has one. An importer whose PVC is not known to
    be bound decides where the volume is, unless its class is known to bind at once.
    """
    role = kind.role
    ref = find_plan_ref(metadata, namespace) or (disk.pvc.ref if disk else None)
    if ref is None and role is not Role.CONVERTOR:
        return None
    if role is Role.IMPORTER and (disk is None or decides_place(disk)):
        role = Role.FIRST_CONSUMER
    return MigrationPod(role, ref, disk, kind.in_plan_namespace, has_node, kind.pvc)


def decides_place(disk: Disk) -> bool:
    """Return whether the importer of a disk decides where its volume is, as far as known."""
    return disk.waits_for_first_consumer and not disk.bound


def namespace_for(plan: Plan, *, in_plan_namespace: bool) -> str:
    """Return the namespace in which a plan has its pods: deep inspections are beside the Plan."""
    return plan.namespace if in_plan_namespace else plan.target_namespace


def _find_controller(references: Any, namespace: str) -> PvcRef | None:
    """Return the PVC that controls a pod; None if another object does, or none."""
    for reference in references if isinstance(references, list) else ():
        owner = nested_map(reference)
        name, uid = read_name(owner.get("name")), read_name(owner.get("uid"))
        is_pvc = owner.get("kind") == "PersistentVolumeClaim" and owner.get("apiVersion") == "v1"
        if is_pvc and owner.get("controller") is True and name and uid:
            return PvcRef(namespace, name, uid)
    return None
