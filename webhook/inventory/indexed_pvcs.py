"""The look-ups and the subscribers that all sources of PVCs have in common."""

from collections.abc import Callable
from datetime import timedelta

from webhook.inventory import VmDisk, VmRef, clock
from webhook.inventory.pvc_index import Changed, PvcIndex
from webhook.model import Disk, PvcRef


class IndexedPvcs:
    """`VmDisks`, and the look-up of `Pvcs`, of an index that a source keeps current."""

    def __init__(self, clock_offset: Callable[[], timedelta] = timedelta) -> None:
        """Take ages by a clock that is ahead of the local one by `clock_offset`."""
        self._index = PvcIndex(lambda created: clock.seconds_since(created, clock_offset()))
        self._subscribers: list[Callable[[VmRef], None]] = []

    def find_disk(self, pvc: PvcRef) -> Disk | None:
        """Return the disk of a PVC; see `Pvcs`."""
        return self._index.find_disk(pvc)

    def list_vms(self) -> list[VmRef]:
        """Return all VMs with disks."""
        return self._index.list_vms()

    def list_disks(self, vm: VmRef) -> list[VmDisk]:
        """Return the disks of a VM that are not being deleted."""
        return self._index.list_disks(vm)

    def subscribe(self, on_change: Callable[[VmRef], None]) -> None:
        """Call `on_change` after each change of a VM's disks; see `VmDisks`."""
        self._subscribers.append(on_change)

    def _notify(self, changed: Changed) -> None:
        for vm in changed:
            for on_change in self._subscribers:
                on_change(vm)
