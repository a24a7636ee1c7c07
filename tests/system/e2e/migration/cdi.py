"""Stand-in for CDI: it creates an importer for each checkpoint of a disk, several at a time.

The API server may refuse an importer; then it is created again after 2 to 20 seconds, and so on
without end.
"""

import time
from contextlib import suppress

from tests.system.controlplane.api import Api, Json, StatusError
from tests.system.controlplane.process import until
from tests.system.e2e.migration import printed
from tests.system.e2e.migration.loop import Loop
from tests.system.e2e.migration.printed import Disk, Versions
from tests.system.e2e.pod_results import PodResult, send

AFTER_PVC_SECONDS = 0.2
FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS = 2.0, 20.0
"""The time between two attempts doubles."""


class Import:
    """The importers of a disk, one after the other."""

    def __init__(self, versions: Versions, disk: Disk, pvc: Json) -> None:
        self.versions, self.disk, self.pvc = versions, disk, pvc
        self.owner = pvc
        """The PVC that the importers own: `pvc`, or the second one."""
        self.refusals: list[str] = []
        self.results: list[PodResult] = []
        """The importer of each checkpoint."""
        self.seconds = 0.0
        """The longest time from the first attempt to create an importer to the last one."""

    @property
    def name(self) -> str:
        """The name of the PVC that the importers write to."""
        name: str = self.owner["metadata"]["name"]
        return name

    def __str__(self) -> str:
        return f"{self.disk.pvc}: {'; '.join(map(str, self.results))} {self.refusals}"


class Cdi:
    """Creates importers."""

    def __init__(self, api: Api, loop: Loop) -> None:
        self._api, self._loop = api, loop
        self._active: list[Import] = []

    def forget(self) -> None:
        """Create no more importers for the disks so far."""
        self._active.clear()

    def import_disk(self, versions: Versions, disk: Disk) -> Import:
        """Create the PVC of a disk; the first importer follows with `checkpoint`."""
        target = self._api.create(printed.pvc(versions, disk))
        found = Import(versions, disk, target)
        self._active.append(found)
        if versions.has_prime_pvcs:
            found.owner = self._api.create(printed.prime_pvc(versions, disk, target))
        return found

    def checkpoint(self, of: Import, name: str) -> None:
        """Create the importer of a checkpoint, in the background."""
        self._schedule(AFTER_PVC_SECONDS, of, name, FIRST_RETRY_SECONDS, time.monotonic())

    def _schedule(
        self, seconds: float, of: Import, checkpoint: str, retry: float, since: float
    ) -> None:
        self._loop.after(seconds, self._loop.submit, self._create, of, checkpoint, retry, since)

    def _create(self, of: Import, checkpoint: str, retry: float, since: float) -> None:
        if of not in self._active:
            return
        namespace = of.disk.namespace
        with suppress(StatusError):  # it has been deleted
            of.owner = self._api.get("PersistentVolumeClaim", of.name, namespace)
        result = send(self._api, printed.importer(of.versions, of.disk, of.owner, checkpoint))
        of.seconds = max(of.seconds, time.monotonic() - since)
        if not result.rejection:
            of.results.append(result)
            return
        of.refusals.append(result.rejection)
        self._schedule(retry, of, checkpoint, min(2 * retry, LONGEST_RETRY_SECONDS), since)

    def fill(self, of: Import) -> None:
        """Give the volume of the second PVC to the disk's own one, after the last checkpoint."""
        if of.versions.has_prime_pvcs:
            rebind(self._api, of.owner["metadata"], of.pvc["metadata"])


def rebind(api: Api, prime: Json, target: Json) -> None:
    """Give the volume of a second PVC to the one that it was created for, both by their metadata.

    kube-controller-manager then binds that one.
    """
    name, namespace = prime["name"], prime["namespace"]

    def volume_name() -> str | None:
        spec = api.get("PersistentVolumeClaim", name, namespace)["spec"]
        found: str | None = spec.get("volumeName")
        return found

    volume = until(f"PVC {name} to be bound", volume_name)
    reference = {"name": target["name"], "uid": target["uid"], "resourceVersion": None}
    api.patch("PersistentVolume", volume, {"spec": {"claimRef": reference}})
    api.delete("PersistentVolumeClaim", name, namespace)
