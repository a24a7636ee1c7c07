"""A source of the disks of VMs, which a test sets."""

from collections.abc import Callable

from webhook.inventory import VmDisk, VmRef


class FakeDisks:
    """The disks of VMs as `VmDisks`."""

    def __init__(self) -> None:
        self.disks: dict[VmRef, list[VmDisk]] = {}
        self.reads: list[VmRef] = []
        """The VMs whose disks were listed."""
        self._subscribers: list[Callable[[VmRef], None]] = []

    def put(self, vm: VmRef, *disks: VmDisk) -> None:
        """Replace the disks of a VM, and report the change."""
        self.disks[vm] = list(disks)
        for on_change in self._subscribers:
            on_change(vm)

    def list_vms(self) -> list[VmRef]:
        return list(self.disks)

    def list_disks(self, vm: VmRef) -> list[VmDisk]:
        self.reads.append(vm)
        return self.disks.get(vm, [])

    def subscribe(self, on_change: Callable[[VmRef], None]) -> None:
        self._subscribers.append(on_change)
