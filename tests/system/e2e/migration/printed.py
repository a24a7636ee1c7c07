"""Pods and PVCs of a warm migration as Forklift and CDI create them, with other names and UIDs."""

import json
from typing import NamedTuple

from tests.support.paths import DATA
from tests.system.controlplane.api import Json
from tests.system.guide.forklift import Generation, convertor_pod


class Versions(NamedTuple):
    """The releases of CDI and Forklift."""

    cdi: str
    forklift: str

    @property
    def has_prime_pvcs(self) -> bool:
        """CDI populates the disks through a second PVC, which has no labels of Forklift."""
        return self.forklift == "2.10"

    @property
    def generation(self) -> Generation:
        """The Plans and convertor pods of this Forklift."""
        return Generation.V2_10 if self.forklift == "2.10" else Generation.V2_12


class Disk(NamedTuple):
    """The names of a disk: of its plan, migration, VM and PVC."""

    plan: Json
    migration: str
    vm: str
    pvc: str
    storage_class: str

    @property
    def namespace(self) -> str:
        """The target namespace of the plan."""
        namespace: str = self.plan["spec"]["targetNamespace"]
        return namespace


PRIME_UID, PVC_UID = (
    "8" * 8 + "-8888-4888-8888-" + "8" * 12,
    "7" * 8 + "-7777-4777-8777-" + "7" * 12,
)
CHECKPOINT = "snapshot-77"
"""In the printed files."""


def pvc(versions: Versions, disk: Disk) -> Json:
    """Return the PVC of a disk, which CDI creates for Forklift's DataVolume."""
    body = _read(f"migration-pvcs/forklift-{versions.forklift}-vsphere-warm", disk)
    if versions.has_prime_pvcs:
        # CDI sets it on the PVC of a DataVolume without `usePopulator: "false"`.
        body["spec"]["dataSourceRef"] = {
            "apiGroup": "cdi.kubevirt.io",
            "kind": "VolumeImportSource",
            "name": f"volume-import-source-{disk.pvc}",
        }
    return body


def prime_pvc(versions: Versions, disk: Disk, target: Json) -> Json:
    """Return the second PVC that CDI populates a disk through."""
    uid = target["metadata"]["uid"]
    body = _read(f"migration-pvcs/cdi-{versions.cdi}-prime-reconstructed", disk, {PVC_UID: uid})
    del (
        body["metadata"]["uid"],
        body["metadata"]["annotations"]["volume.kubernetes.io/selected-node"],
    )
    return body


def importer(versions: Versions, disk: Disk, owner: Json, checkpoint: str) -> Json:
    """Return the importer of a checkpoint, whose owner is the disk's PVC or its second one."""
    metadata, uids = owner["metadata"], {CHECKPOINT: checkpoint}
    name = f"cdi-{versions.cdi}-importer-vddk"
    if not metadata["name"].startswith("prime-"):
        uids[PVC_UID] = metadata["uid"]
        return _read(f"migration-pods/{name}-warm-forklift-{versions.forklift}", disk, uids)
    uids |= {PRIME_UID: metadata["uid"], PVC_UID: metadata["name"].removeprefix("prime-")}
    pod = _read(f"migration-pods/{name}-cdi-populator-nodename-forklift-2.12", disk, uids)
    del pod["spec"]["nodeName"]
    if node := metadata["annotations"].get("volume.kubernetes.io/selected-node"):
        pod["spec"]["nodeName"] = node
    return pod


def convertor(versions: Versions, plan: Json, vm: str, pvcs: list[str]) -> Json:
    """Return the convertor pod of a VM, which mounts all of its disks."""
    pod = convertor_pod(versions.generation, plan, vm)
    spec = pod["spec"]
    disks = [{"name": name, "persistentVolumeClaim": {"claimName": name}} for name in pvcs]
    claims = {each["name"] for each in spec["volumes"] if "persistentVolumeClaim" in each}
    spec["volumes"] = disks + [each for each in spec["volumes"] if each["name"] not in claims]
    (container,) = spec["containers"]
    container["volumeMounts"] = [
        {"name": name, "mountPath": f"/mnt/disks/disk{number}"} for number, name in enumerate(pvcs)
    ] + [each for each in container["volumeMounts"] if each["name"] not in claims]
    container.pop("volumeDevices", None)
    return pod


def read(name: str, plan: Json, others: dict[str, str] | None = None) -> Json:
    """Return a printed object for a plan, with texts replaced.

    Args:
        name: the path below tests/data, without `.json`.
        plan: the Plan as the API server has stored it.
        others: replacements of further texts.

    """
    metadata = plan["metadata"]
    replacements = {
        **(others or {}),
        "b277064e-c8ce-430a-99ee-75a0a2a7d0ea": metadata["uid"],
        "high-io-migration": metadata["name"],
        '"namespace": "target"': f'"namespace": "{plan["spec"]["targetNamespace"]}"',
    }
    text = (DATA / f"{name}.json").read_text(encoding="utf-8")
    for old, new in replacements.items():
        text = text.replace(old, new)
    body: Json = json.loads(text)
    return body


def _read(name: str, disk: Disk, others: dict[str, str] | None = None) -> Json:
    names = {
        "high-io-migration-vm-1630-p5tzr": disk.pvc,
        "high-io-migrati-db1-disk-0-p5tzr": disk.pvc,
        "7f0bbdc5-3a48-4a3a-8a3c-0e5c8e8f8f11": disk.migration,
        "vm-1630": disk.vm,
        "local-nvme": disk.storage_class,
    }
    return read(name, disk.plan, {**(others or {}), **names})
