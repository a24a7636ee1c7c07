"""A source of PVCs, which a test sets."""

from webhook.inventory import PvcsStatus
from webhook.model import Disk, PvcRef


class FakePvcs:
    """The disks of PVCs as `Pvcs`."""

    def __init__(self) -> None:
        self.disks: dict[PvcRef, Disk] = {}
        self.state = PvcsStatus(synced=True, age_seconds=0.0)

    def find_disk(self, pvc: PvcRef) -> Disk | None:
        return self.disks.get(pvc)

    def status(self) -> PvcsStatus:
        return self.state

    def start(self) -> None:
        pass

    def stop(self) -> None:
        pass
