"""Stand-in for Forklift: a warm migration of the VMs of a plan."""

import itertools
from uuid import uuid4

from tests.system.controlplane.api import Api, Json, StatusError
from tests.system.controlplane.process import until
from tests.system.e2e.migration import printed
from tests.system.e2e.migration.cdi import Cdi, Import
from tests.system.e2e.migration.printed import Disk, Versions
from tests.system.e2e.migration.provisioner import WAITS, zone_of
from tests.system.e2e.pod_results import PodResult, scheduled, send

_vms = itertools.count(1)


class Warm:
    """A migration: its disks, their importers, and after the cutover its convertor pods."""

    def __init__(
        self,
        api: Api,
        cdi: Cdi,
        plan: Json,
        versions: Versions,
        *,
        vms: int = 1,
        disks: int = 1,
        storage_class: str = WAITS,
    ) -> None:
        """Create the PVCs of all disks, and their first importers."""
        self._api, self._cdi, self._versions, self.plan = api, cdi, versions, plan
        self.namespace: str = plan["spec"]["targetNamespace"]
        self.vms: dict[str, list[Import]] = {}
        """The disks of each VM."""
        migration = str(uuid4())
        self._checkpoints = itertools.count(1)
        for vm in (f"vm-{next(_vms)}" for _ in range(vms)):
            pvcs = [f"{plan['metadata']['name']}-{vm}-{number}" for number in range(disks)]
            self.vms[vm] = [
                cdi.import_disk(versions, Disk(plan, migration, vm, pvc, storage_class))
                for pvc in pvcs
            ]
        self.precopy()

    @property
    def disks(self) -> list[Import]:
        return [disk for disks in self.vms.values() for disk in disks]

    def precopy(self) -> None:
        """Create the importers of another checkpoint, in the background."""
        name = f"snapshot-{next(self._checkpoints)}"
        for disk in self.disks:
            self._cdi.checkpoint(disk, name)

    def imported(self, checkpoint: int = 1, *, seconds: float = 60) -> list[PodResult]:
        """Wait until the importers of a checkpoint have ended, and return them."""

        def ended() -> list[PodResult]:
            found = self.importers(checkpoint)
            running = [each for each in found if not _has_ended(self._api, each)]
            return found if len(found) == len(self.disks) and not running else []

        try:
            return until(f"the importers of checkpoint {checkpoint}", ended, seconds=seconds)
        except AssertionError as error:
            lines = "\n".join(map(str, self.disks))
            raise AssertionError(f"{error}:\n{lines}") from None

    def importers(self, checkpoint: int = 1) -> list[PodResult]:
        """Return the importers of a checkpoint that were created so far."""
        return [
            disk.results[checkpoint - 1] for disk in self.disks if len(disk.results) >= checkpoint
        ]

    def cut_over(self) -> list[PodResult]:
        """Create the convertor pods, and return them when the scheduler has decided."""
        for disk in self.disks:
            self._cdi.fill(disk)
        results = []
        for vm, disks in self.vms.items():
            pvcs = [disk.disk.pvc for disk in disks]
            pod = printed.convertor(self._versions, self.plan, vm, pvcs)
            results.append(send(self._api, pod))
        return [scheduled(self._api, each) for each in results]

    def zones(self) -> list[set[str]]:
        """Return the zones of the volumes of each VM."""
        volumes = {each["metadata"]["name"]: each for each in self._api.list("PersistentVolume")}
        pvcs = {
            each["metadata"]["name"]: each["spec"].get("volumeName")
            for each in self._api.list("PersistentVolumeClaim", self.namespace)
        }
        return [
            {
                zone_of(volumes[volume])
                for disk in disks
                if (volume := pvcs.get(disk.name) or pvcs[disk.disk.pvc])
            }
            for disks in self.vms.values()
        ]


def _has_ended(api: Api, result: PodResult) -> bool:
    """Read the pod again; return True if it has succeeded."""
    if result.pod.get("status", {}).get("phase") == "Succeeded":
        return True
    metadata = result.pod["metadata"]
    try:
        result.pod = api.get("Pod", metadata["name"], metadata["namespace"])
    except StatusError:
        return False
    return bool(result.pod["status"].get("phase") == "Succeeded")
