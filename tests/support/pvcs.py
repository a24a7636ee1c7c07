"""PersistentVolumeClaims of migrations, as Forklift and CDI create them, with volumes and classes.

Their UIDs are derived from their names.
"""

import json
import uuid

from tests.support.builders import ZONE
from tests.support.paths import DATA
from webhook.kube.objects import Json

MIGRATION = "7f0bbdc5-3a48-4a3a-8a3c-0e5c8e8f8f11"
PRIME_LABELS = {"app": "containerized-data-importer"}
"""All that CDI labels a prime PVC with, as far as the webhook reads it."""


OWNER_UID = "77777777-7777-4777-8777-777777777777"
"""UID of the PVC that owns the importers in tests/data/migration-pods."""


def printed(file: str, uid: str = OWNER_UID) -> Json:
    """Return a PVC of tests/data/migration-pvcs with the server's fields: UID and creation."""
    pvc: Json = json.loads((DATA / "migration-pvcs" / f"{file}.json").read_bytes())
    server = {"uid": uid, "creationTimestamp": "2026-08-01T09:00:00Z"}
    set_already = {key: value for key, value in pvc["metadata"].items() if value}
    return pvc | {"metadata": server | set_already}


def pvc(
    name: str = "db-vm-1-disk-0",
    namespace: str = "vms",
    *,
    plan: str = "uid-db",
    migration: str = MIGRATION,
    vm: str = "vm-1",
    created: str = "2026-08-01T09:00:00Z",
    storage_class: str = "local",
    volume: str = "",
    deleting: bool = False,
    metadata: Json | None = None,
) -> Json:
    """Return the PVC of a disk; it is bound if it has a volume."""
    uid = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{namespace}/{name}"))
    labels = {"app": "containerized-data-importer", "plan": plan, "migration": migration}
    deleted = {"deletionTimestamp": created} if deleting else {}
    bound = {"pv.kubernetes.io/bind-completed": "yes"} if volume else {}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": uid,
            "creationTimestamp": created,
            "labels": labels | {"vmID": vm},
            "annotations": bound,
        }
        | deleted
        | (metadata or {}),
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
            "storageClassName": storage_class,
        }
        | ({"volumeName": volume} if volume else {}),
        "status": {"phase": "Bound" if volume else "Pending"},
    }


def prime_pvc(of: Json, *, volume: str = "", labels: dict[str, str] | None = None) -> Json:
    """Return the PVC through which CDI fills the PVC `of`; `labels` replace those of CDI."""
    metadata, spec = of["metadata"], of["spec"]
    name = f"prime-{metadata['uid']}"
    owner = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "controller": True}
    own = {
        "labels": PRIME_LABELS if labels is None else labels,
        "ownerReferences": [owner | {key: metadata[key] for key in ("name", "uid")}],
    }
    return pvc(
        name,
        metadata["namespace"],
        created=metadata["creationTimestamp"],
        storage_class=spec["storageClassName"],
        volume=volume,
        metadata=own,
    )


def owner_reference(of: Json) -> Json:
    """Return the controller reference of an importer to its PVC."""
    metadata = of["metadata"]
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def volume(name: str, node_terms: list[Json] | None = None) -> Json:
    """Return a PersistentVolume; without terms it is reachable from every node."""
    affinity = {"nodeAffinity": {"required": {"nodeSelectorTerms": node_terms}}}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {"capacity": {"storage": "1Gi"}} | (affinity if node_terms else {}),
    }


def zone_terms(*zones: str) -> list[Json]:
    """Return the node terms of a volume in one of these zones."""
    return [{"matchExpressions": [{"key": ZONE, "operator": "In", "values": list(zones)}]}]


def storage_class(name: str = "local", mode: str = "WaitForFirstConsumer") -> Json:
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": name},
        "provisioner": "example.com/local",
        "volumeBindingMode": mode,
    }


def importer_pod(of: Json) -> Json:
    """Return the importer that CDI 1.62 creates for a PVC, without labels of Forklift."""
    metadata = of["metadata"]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"importer-{metadata['name']}",
            "namespace": metadata["namespace"],
            "labels": {"app": "containerized-data-importer", "cdi.kubevirt.io": "importer"},
            "ownerReferences": [owner_reference(of)],
        },
        "spec": {"containers": [{"name": "importer"}]},
    }
