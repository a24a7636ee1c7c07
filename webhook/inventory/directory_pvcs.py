"""PVCs of a directory of files, with volumes and classes; `DirectoryPlans` keeps them current."""

from collections.abc import Callable, Iterable, Mapping

from webhook.inventory import PlansStatus, PvcsStatus, VmRef
from webhook.inventory.indexed_pvcs import IndexedPvcs
from webhook.kube.objects import Json
from webhook.model import Pvc


class DirectoryPvcs(IndexedPvcs):
    """The PVCs of files, as `Pvcs` and `VmDisks`."""

    def __init__(self, directory: Callable[[], PlansStatus]) -> None:
        """Take the state from that of the directory, which also has the errors of the files."""
        super().__init__()
        self._directory = directory

    def status(self) -> PvcsStatus:
        """Return the state of the PVCs."""
        directory = self._directory()
        return PvcsStatus(directory.synced, directory.age_seconds, len(self._index))

    def start(self) -> None:
        """Do nothing: the directory is scanned for all its objects."""

    def stop(self) -> None:
        """Do nothing."""

    def replace_all(
        self,
        pvcs: Iterable[Pvc],
        volumes: Mapping[str, list[Json]],
        storage_classes: Mapping[str, bool],
    ) -> None:
        """Replace everything; see `webhook.inventory.plan_files.Contents`."""
        pvcs = list(pvcs)
        self._index.set_binding_modes(storage_classes)
        changed: list[VmRef] = []
        self._index.replace_all(pvcs, changed.extend)
        for pvc in pvcs:
            changed += self._index.set_node_terms(pvc, volumes.get(pvc.volume))
        self._notify(tuple(dict.fromkeys(changed)))
