"""PVCs of migrations in the cluster of the pods, and StorageClasses, kept current by watches."""

from collections.abc import Callable, Iterable
from typing import Any

from webhook.forklift.labels import CDI_APP
from webhook.forklift.pvc import PvcObject
from webhook.inventory import PvcsStatus
from webhook.inventory.indexed_pvcs import IndexedPvcs
from webhook.inventory.pvc_index import PvcIndex
from webhook.inventory.volumes import VolumeReader, VolumeTiming
from webhook.kube.api import reflector
from webhook.kube.api.client import Client
from webhook.kube.api.collection import ListWatch
from webhook.kube.storage import STORAGE_CLASSES_PATH, StorageClassObject
from webhook.model import PlanRef

DISKS = {"labelSelector": "plan"}
"""The PVCs with Forklift's labels; CDI from 1.63 on sets them on prime PVCs too."""
PRIMES = {"labelSelector": f"app={CDI_APP},!plan"}
"""Prime PVCs without them; all other PVCs of CDI are dropped when they are read."""


def collection_path(namespace: str = "") -> str:
    """Return the path of the PVCs of a namespace, or of all PVCs."""
    place = f"/namespaces/{namespace}" if namespace else ""
    return f"/api/v1{place}/persistentvolumeclaims"


class ClusterPvcs(IndexedPvcs):
    """The PVCs of the cluster of `client`, as `Pvcs` and `VmDisks`.

    PVCs are reduced to the fields of `Pvc`; the volumes of bound ones are read by `VolumeReader`,
    if `knows_plan` knows the plan of the disk. A watch that is not permitted is retried like any
    that fails: its error is logged and in the status, and what it would have read is not known.
    """

    def __init__(
        self,
        client: Client,
        knows_plan: Callable[[PlanRef], bool],
        timing: reflector.ReflectorTiming | None = None,
        volume_timing: VolumeTiming | None = None,
    ) -> None:
        super().__init__(lambda: client.clock_offset)
        self._volumes = VolumeReader(client, self._index, knows_plan, self._notify, volume_timing)
        disks = ListWatch(client, collection_path(), PvcObject, DISKS)
        primes = ListWatch(client, collection_path(), PvcObject, PRIMES)
        classes = ListWatch(client, STORAGE_CLASSES_PATH, StorageClassObject)
        self._reflectors: tuple[reflector.Reflector[Any], ...] = (
            reflector.Reflector(disks, _PvcStore(self, labelled=True), timing),
            reflector.Reflector(primes, _PvcStore(self, labelled=False), timing),
            reflector.Reflector(classes, _ClassStore(self._index), timing),
        )

    def status(self) -> PvcsStatus:
        """Return the state of the PVCs, and the errors of the watches and of reading volumes."""
        watches = reflector.combine(each.status() for each in self._reflectors)
        messages = dict.fromkeys((watches.message, self._volumes.message))
        return PvcsStatus(
            synced=watches.synced,
            age_seconds=watches.age_seconds,
            count=len(self._index),
            message="; ".join(filter(None, messages)),
            restarts=watches.restarts,
        )

    def start(self) -> None:
        """Start to list, watch and read."""
        for each in self._reflectors:
            each.start()
        self._volumes.start()

    def stop(self) -> None:
        """Stop the watches; the known PVCs are kept."""
        self._volumes.stop()
        reflector.stop_all(self._reflectors)

    def replace(self, items: Iterable[PvcObject], *, labelled: bool) -> None:
        """Replace all PVCs of a watch."""
        pvcs = (item.to_pvc() for item in items)
        self._index.replace_all(pvcs, self._notify, labelled=labelled)
        self._volumes.add(self._index.list_unread_volumes(labelled=labelled))

    def update(self, item: PvcObject, *, labelled: bool) -> None:
        """Add or update a PVC."""
        pvc = item.to_pvc()
        self._notify(self._index.put(pvc, labelled=labelled))
        if self._index.find_unread_volume(pvc.uid):
            self._volumes.add([pvc.uid])

    def delete(self, item: PvcObject, *, labelled: bool) -> None:
        """Remove a PVC."""
        self._notify(self._index.discard(item.metadata.uid, labelled=labelled))


class _PvcStore:
    """The PVCs of one of the watches, as the store of its reflector."""

    def __init__(self, pvcs: ClusterPvcs, *, labelled: bool) -> None:
        self._pvcs = pvcs
        self._labelled = labelled

    def replace(self, items: Iterable[PvcObject]) -> None:
        self._pvcs.replace(items, labelled=self._labelled)

    def update(self, item: PvcObject) -> None:
        self._pvcs.update(item, labelled=self._labelled)

    def delete(self, item: PvcObject) -> None:
        self._pvcs.delete(item, labelled=self._labelled)


class _ClassStore:
    """StorageClasses, as the store of their reflector."""

    def __init__(self, index: PvcIndex) -> None:
        self._index = index
        self._waits: dict[str, bool] = {}

    def replace(self, items: Iterable[StorageClassObject]) -> None:
        self._waits = {item.metadata.name: item.waits_for_first_consumer for item in items}
        self._index.set_binding_modes(self._waits)

    def update(self, item: StorageClassObject) -> None:
        self._waits[item.metadata.name] = item.waits_for_first_consumer
        self._index.set_binding_modes(self._waits)

    def delete(self, item: StorageClassObject) -> None:
        self._waits.pop(item.metadata.name, None)
        self._index.set_binding_modes(self._waits)
