"""The printed pods of whole migrations, their PVCs and their roles."""

import json

from tests.support.paths import DATA
from webhook.forklift.roles import PodKind, recognize, resolve
from webhook.kube.objects import Json
from webhook.model import Disk, MigrationPod, PlanRef, Pvc, PvcRef

PLAN_UID = "b277064e-c8ce-430a-99ee-75a0a2a7d0ea"
PODS: dict[str, Json] = {
    path.stem: json.loads(path.read_bytes())
    for folder in ("pods", "migration-pods")
    for path in sorted((DATA / folder).glob("*.json"))
}


def kind_of(pod: Json) -> PodKind | None:
    """Return the kind of a whole pod."""
    containers = [container["name"] for container in pod["spec"]["containers"]]
    return recognize(pod["metadata"], pod["metadata"]["namespace"], containers)


def resolve_pod(pod: Json, disk: Disk | None) -> MigrationPod | None:
    """Return the migration pod of a whole pod, or None if it is not one."""
    kind, metadata = kind_of(pod), pod["metadata"]
    has_node = bool(pod["spec"].get("nodeName"))
    namespace = metadata["namespace"]
    return resolve(kind, metadata, namespace, disk, has_node=has_node) if kind else None


def disk_of(ref: PvcRef, *, bound: bool = False, waits: bool = True) -> Disk:
    """Return the disk of a PVC, whose labels name the plan of the printed pods."""
    pvc = Pvc(ref.namespace, ref.name, ref.uid, ref=PlanRef(PLAN_UID), vm="vm-1630")
    return Disk(pvc, bound=bound, waits_for_first_consumer=waits)
