"""The known plans and nodes, and the sources that keep them current: a cluster, a hub, a directory.

A review calls `find`, which takes a few dictionary lookups. Only if that misses does it await
`fetch`, the one step of a review that may do I/O.
"""

from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple, Protocol

import msgspec

from webhook.kube.objects import Json
from webhook.model import Disk, NodeValues, Plan, PlanRef, Pvc, PvcRef, Reason, SiblingDisk

MAX_ERRORS_IN_STATUS = 3
"""The log has all errors."""


class PlansStatus(msgspec.Struct, frozen=True):
    """The state of `Plans`: synced or not, how current, and its errors."""

    synced: bool
    """True once everything has been read; it stays true when the source fails later. A cluster
    without Forklift's CustomResourceDefinition has no plans and counts as synced."""
    age_seconds: float
    """Since the source last confirmed the known plans; infinite before it ever did."""
    count: int
    """The number of known plans."""
    invalid: int
    """The number of plans that have problems in their settings or cannot be read."""
    message: str = ""
    """The errors of the source; empty if there are none."""
    fetches: int = 0
    """The number of `fetch` calls that queried the source since the start."""
    restarts: int = 0
    """The number of watches that were restarted after a failure since the start."""


class Plans(Protocol):
    """A source of plans. Thread-safe; `find`, `status` and `node_values` never block."""

    def find(self, ref: PlanRef) -> Plan | Reason:
        """Return the plan, or PLAN_NOT_FOUND, PLAN_AMBIGUOUS or PLANS_NOT_SYNCED."""

    async def fetch(self, ref: PlanRef, seconds: float) -> Plan | Reason:
        """Query the source, in at most `seconds`, for a plan that `find` does not know yet."""

    def status(self) -> PlansStatus:
        """Return the current state of this source."""

    @property
    def node_values(self) -> NodeValues:
        """The values that nodes have of each label key that a plan compares, as far as known."""

    def start(self) -> None:
        """Start to read and watch the source, in the background."""

    def stop(self) -> None:
        """Stop watching; the known plans are kept."""


class PvcsStatus(msgspec.Struct, frozen=True):
    """The state of `Pvcs`."""

    synced: bool
    """True once all PVCs and StorageClasses have been read."""
    age_seconds: float
    """Since the source last confirmed the known PVCs."""
    count: int = 0
    """The number of known PVCs."""
    message: str = ""
    """The errors of the source; empty if there are none."""
    restarts: int = 0
    """The number of watches that were restarted after a failure since the start."""


class Pvcs(Protocol):
    """The PersistentVolumeClaims of migrations. Thread-safe; nothing blocks a review."""

    def find_disk(self, pvc: PvcRef) -> Disk | None:
        """Return the disk of a PVC, given by namespace, name and UID; None if it is not known.

        A PVC `prime-UID` belongs to the disk of the PVC with that UID in its namespace, even if
        it is not known itself: then it is not bound. PVCs whose labels name no plan are not disks.
        """

    def status(self) -> PvcsStatus:
        """Return the current state of this source."""

    def start(self) -> None:
        """Start to read and watch the source, in the background."""

    def stop(self) -> None:
        """Stop watching; the known PVCs are kept."""


class VmRef(NamedTuple):
    """A VM in a migration, whose disks belong together."""

    namespace: str
    """Of its PVCs."""
    migration: str
    """UID of the Migration."""
    vm: str
    """`vmID`."""


class VmDisk(NamedTuple):
    """A disk of a VM."""

    pvc: Pvc
    bound: bool
    """Of `pvc`, or of the PVC through which CDI fills it."""
    node_terms: list[Json] | None = None
    """The ORed node selector terms of its volume, as in `SiblingDisk`."""

    def as_sibling(self) -> SiblingDisk:
        pvc = self.pvc
        return SiblingDisk(pvc.name, self.bound, self.node_terms, pvc.storage_class)


def plan_of(disks: Iterable[VmDisk]) -> PlanRef | None:
    """Return the plan that the disks of a VM name."""
    return next((disk.pvc.ref for disk in disks if disk.pvc.ref), None)


def have_known_place(disks: Iterable[VmDisk]) -> bool:
    """Return whether one is bound where not every node reaches it."""
    return any(disk.bound and disk.node_terms for disk in disks)


class VmDisks(Protocol):
    """The disks of all VMs; every source of `Pvcs` has them. Thread-safe; nothing blocks."""

    def list_vms(self) -> list[VmRef]:
        """Return all VMs with disks."""

    def list_disks(self, vm: VmRef) -> list[VmDisk]:
        """Return the disks of a VM that are not being deleted, in any order."""

    def subscribe(self, on_change: Callable[[VmRef], None]) -> None:
        """Call `on_change` after each change of a VM's disks: added, bound, node terms, deleted.

        It is called in the threads of the watches, so it has to be short. Call this before `start`.
        """


class NoPvcs:
    """A source of no PVCs, for servers and commands that read none."""

    def find_disk(self, pvc: PvcRef) -> Disk | None:  # noqa: ARG002 - of the protocol
        return None

    def status(self) -> PvcsStatus:
        return PvcsStatus(synced=True, age_seconds=0.0)

    def start(self) -> None:
        pass

    def stop(self) -> None:
        pass


NO_PVCS: Pvcs = NoPvcs()


class PriorityClasses(Protocol):
    """The PriorityClasses of the pods' cluster. Thread-safe; `names` never blocks."""

    @property
    def names(self) -> Collection[str] | None:
        """Their names; None until they have been read."""

    def unready_reason(self) -> str:
        """Return why pods could lose their class now; empty if they are read, or cannot be."""

    def start(self) -> None:
        """Start to read and watch the source, in the background."""

    def stop(self) -> None:
        """Stop watching; the known names are kept."""


class NoPriorityClasses:
    """A source of none, for installations in which pods get no priority class."""

    names: Collection[str] | None = None

    def unready_reason(self) -> str:
        return ""

    def start(self) -> None:
        pass

    def stop(self) -> None:
        pass


NO_PRIORITY_CLASSES: PriorityClasses = NoPriorityClasses()


def summarize(errors: list[str]) -> str:
    """Return the first errors, for a status, and the number of the others."""
    more = len(errors) - MAX_ERRORS_IN_STATUS
    return "; ".join(errors[:MAX_ERRORS_IN_STATUS] + ([f"and {more} more"] if more > 0 else []))
