"""Every printed pod of a migration, with the PVC that it belongs to, and its role."""

import re

from tests.support.paths import DATA
from tests.system.controlplane.api import Json
from tests.system.controlplane.process import until
from tests.system.e2e.migration import printed
from tests.system.e2e.migration.cluster import Cluster
from tests.system.e2e.migration.printed import PRIME_UID, PVC_UID, Disk, Versions
from tests.system.e2e.migration.provisioner import WAITS
from tests.system.guide.rows import PLAN_NAMESPACE
from webhook.model import Role

EVERY_POD = [path.stem for path in sorted((DATA / "migration-pods").glob("*.json"))]

UNPLACED = ("hook", "vddk-validator", "wait-for-reboot", "standalone", "no-forklift")
"""Parts of the names of pods that no plan places: Jobs, a pod that does nothing, an inspection
without a Plan, and the import of another user."""

ROLES = {
    "virt-v2v": Role.CONVERTOR,
    "deep-inspection": Role.INSPECTION,
    "pvcinit": Role.FIRST_CONSUMER,
    "importer": Role.IMPORTER,
    "populator": Role.POPULATOR,
}
"""By a part of the name; an importer may be a first consumer by its PVC."""

POPULATED_UID = "5d9a6c1e-2b3f-4c7d-9e10-a1b2c3d4e5f6"
"""Of the PVC of the printed populators."""


def role_of(name: str) -> Role | None:
    """Return the role of a pod whose PVC is bound; None if no plan places it."""
    if any(each in name for each in UNPLACED):
        return None
    return next(role for part, role in ROLES.items() if part in name)


def pod_of(cluster: Cluster, plan: Json, name: str) -> tuple[Json, Json | None]:
    """Return a pod of a plan, and the PVC that it writes, if there is one, which is created."""
    where = f"migration-pods/{name}"
    if "http-no-forklift" in name:
        pvc = cluster.api.create(
            printed.read("migration-pvcs/no-forklift-http-reconstructed", plan)
        )
        return printed.read(where, plan, {PVC_UID: pvc["metadata"]["uid"]}), pvc
    if role_of(name) not in (Role.IMPORTER, Role.POPULATOR):
        pod = printed.read(where, plan)
        if "standalone" in name:  # its namespace is that of its Conversion
            pod["metadata"]["namespace"] = PLAN_NAMESPACE
        return pod, None
    forklift = re.search(r"forklift-(2\.10|2\.12|main)", name)
    assert forklift, name
    versions = Versions("1.66", forklift[1])
    target = printed.pvc(versions, _disk(plan, name))
    target["spec"].pop("dataSourceRef", None)
    target = cluster.api.create(target)
    uid = target["metadata"]["uid"]
    if "nodename" not in name:
        return printed.read(where, plan, {PVC_UID: uid, POPULATED_UID: uid}), target
    prime = cluster.api.create(printed.prime_pvc(versions, _disk(plan, name), target))
    uids = {PRIME_UID: prime["metadata"]["uid"], PVC_UID: uid}
    return printed.read(where, plan, uids), prime


def bind(cluster: Cluster, pvc: Json) -> None:
    """Give a PVC a volume, and wait until kube-controller-manager has bound it."""
    metadata = pvc["metadata"]
    cluster.provisioner.provision(pvc, "a1")

    def bound() -> bool:
        found = cluster.api.get("PersistentVolumeClaim", metadata["name"], metadata["namespace"])
        return "pv.kubernetes.io/bind-completed" in found["metadata"].get("annotations", {})

    until(f"PVC {metadata['name']} to be bound", bound)


def _disk(plan: Json, name: str) -> Disk:
    plan_name = plan["metadata"]["name"]
    pvc = (
        f"{plan_name}-vm-1630-{'disk-0' if 'populator-' in name and 'cdi' not in name else 'p5tzr'}"
    )
    if "main" in name and "cdi" in name:
        pvc = "high-io-migrati-db1-disk-0-p5tzr"
    return Disk(plan, "7f0bbdc5-3a48-4a3a-8a3c-0e5c8e8f8f11", "vm-1630", pvc, WAITS)
