"""The known PVCs of migrations in memory: packed, found by UID, by VM and by the PVC they fill.

The index only computes: its callers read PVCs, StorageClasses and PersistentVolumes.
"""

import sys
from collections.abc import Callable, Iterable, Mapping
from threading import RLock

import msgspec

from webhook.forklift.pvc import find_populated_uid
from webhook.inventory import VmDisk, VmRef
from webhook.kube.objects import Json
from webhook.model import Disk, Pvc, PvcRef

MAX_DISKS = 512
"""Disks of one VM, of which vSphere allows fewer. Labels are those of any client that may create
PVCs: further PVCs with the same labels have siblings, but are none."""

Changed = tuple[VmRef, ...]
"""The VMs of which a disk has changed."""


class _Entry(msgspec.Struct, array_like=True, frozen=True):
    pvc: Pvc
    """Packed without its UID, by which it is found."""
    labelled: bool
    """Listed by its label `plan`."""
    terms: int | None = None
    """Number of the node terms of its volume; None if they have not been read."""


_encoder = msgspec.msgpack.Encoder()
_unpack = msgspec.msgpack.Decoder(_Entry).decode


def _pack(entry: _Entry) -> bytes:
    """Encode an entry into memory of its exact size.

    `encode` shrinks a larger block, and the next one does not fit into the hole that an entry
    leaves when it is replaced: with all volumes read, memory doubled.
    """
    buffer = bytearray()
    pvc = msgspec.structs.replace(entry.pvc, uid="")
    _encoder.encode_into(msgspec.structs.replace(entry, pvc=pvc), buffer)
    return bytes(buffer)


class PvcIndex:
    """PVCs by UID, by VM, and by the PVC that they fill.

    A PVC is kept as one `bytes` of some hundred, like a plan in `PlanIndex`. Readers take no lock:
    each look-up is a dictionary access, and tuples in dictionaries are replaced, never changed.

    `age_of` returns the age in seconds of a creationTimestamp.
    """

    def __init__(self, age_of: Callable[[str], float]) -> None:
        self._age_of = age_of
        self._writing = RLock()
        self._entries: dict[str, bytes] = {}
        self._vms: dict[VmRef, tuple[str, ...]] = {}
        """The UIDs of the disks of each VM."""
        self._primes: dict[tuple[str, str], str] = {}
        """The UIDs of prime PVCs, by namespace and the UID in their names."""
        self._terms: list[list[Json]] = []
        """All node terms that volumes have: about as many as there are zones, or nodes."""
        self._waits: Mapping[str, bool] = {}
        """StorageClasses, and if their volumes wait for their first consumer."""

    def __len__(self) -> int:
        return len(self._entries)

    def find_disk(self, ref: PvcRef) -> Disk | None:
        """Return the disk of a PVC; see `webhook.inventory.Pvcs`."""
        populated = find_populated_uid(ref.name)
        entry = self._get(populated or ref.uid)
        if entry is None or entry.pvc.ref is None or entry.pvc.namespace != ref.namespace:
            return None
        pvc = entry.pvc
        bound = pvc.bound
        if populated:
            prime = self._prime_of(pvc)
            bound = prime is not None and prime.pvc.uid == ref.uid and prime.pvc.bound
        elif pvc.name != ref.name:
            return None
        siblings = self._disks(vm_of(pvc), without=pvc.uid)
        order = (pvc.created, pvc.name)
        return Disk(
            pvc=pvc,
            bound=bound,
            waits_for_first_consumer=self._waits.get(pvc.storage_class, True),
            age_seconds=self._age_of(pvc.created),
            siblings=[each.as_sibling() for each in siblings],
            is_first=all(
                each.bound or order < (each.pvc.created, each.pvc.name) for each in siblings
            ),
        )

    def list_disks(self, vm: VmRef) -> list[VmDisk]:
        """Return the disks of a VM that are not being deleted."""
        return self._disks(vm)

    def list_vms(self) -> list[VmRef]:
        """Return all VMs with disks."""
        return list(self._vms)

    def find_unread_volume(self, uid: str) -> Pvc | None:
        """Return a PVC if it is bound and the node terms of its volume have not been set."""
        entry = self._get(uid)
        return entry.pvc if entry and _is_unread(entry) else None

    def list_unread_volumes(self, *, labelled: bool = True) -> list[str]:
        """Return the UIDs of such PVCs of a list, the oldest first."""
        found = []
        for uid in list(self._entries):
            entry = self._get(uid)
            if entry and entry.labelled is labelled and _is_unread(entry):
                found.append((entry.pvc.created, uid))
        return [uid for _, uid in sorted(found)]

    def put(self, pvc: Pvc, *, labelled: bool = True) -> Changed:
        """Add or update a PVC; `labelled` if it is listed by its label `plan`.

        A PVC that is neither a disk nor a prime PVC is not kept.
        """
        with self._writing:
            known = self._get(pvc.uid)
            if pvc.ref is None and not find_populated_uid(pvc.name):
                return self._remove(known) if known else ()
            entry = _Entry(pvc, labelled, self._known_terms(pvc, known))
            if entry == known:
                return ()
            moved = known and vm_of(known.pvc) != vm_of(pvc)
            before = self._remove(known) if known and moved else ()
            self._add(entry)
            return before + self._vms_of(pvc)

    def discard(self, uid: str, *, labelled: bool = True) -> Changed:
        """Remove a PVC, unless the watch of the other PVCs has it by now."""
        with self._writing:
            known = self._get(uid)
            return self._remove(known) if known and known.labelled is labelled else ()

    def replace_all(
        self, pvcs: Iterable[Pvc], on_change: Callable[[Changed], None], *, labelled: bool = True
    ) -> None:
        """Put all existing PVCs of a list, one at a time, and remove the others that it had.

        If `pvcs` raises, nothing is removed; `on_change` has got the changes until then, which the
        next list does not repeat.
        """
        entries = map(self._get, list(self._entries))
        gone = {entry.pvc.uid for entry in entries if entry and entry.labelled is labelled}
        for pvc in pvcs:
            gone.discard(pvc.uid)
            on_change(self.put(pvc, labelled=labelled))
        for uid in gone:
            on_change(self.discard(uid, labelled=labelled))

    def set_node_terms(self, pvc: Pvc, node_terms: list[Json] | None) -> Changed:
        """Set the ORed node selector terms of a PVC's volume, unless it has another one by now."""
        with self._writing:
            known = self._get(pvc.uid)
            terms = None if node_terms is None else self._number(node_terms)
            if known is None or known.pvc.volume != pvc.volume or known.terms == terms:
                return ()
            self._entries[pvc.uid] = _pack(msgspec.structs.replace(known, terms=terms))
            return self._vms_of(pvc)

    def set_binding_modes(self, waits: Mapping[str, bool]) -> None:
        """Set the names of all StorageClasses, and which of them have WaitForFirstConsumer."""
        self._waits = dict(waits)

    def _get(self, uid: str) -> _Entry | None:
        packed = self._entries.get(uid)
        if packed is None:
            return None
        entry = _unpack(packed)
        msgspec.structs.force_setattr(entry.pvc, "uid", uid)
        return entry

    def _number(self, node_terms: list[Json]) -> int:
        if node_terms not in self._terms:
            self._terms.append(node_terms)
        return self._terms.index(node_terms)

    def _prime_of(self, pvc: Pvc) -> _Entry | None:
        return self._get(self._primes.get((pvc.namespace, pvc.uid), ""))

    def _disks(self, vm: VmRef | None, without: str = "") -> list[VmDisk]:
        uids = self._vms.get(vm, ()) if vm else ()
        entries = [self._get(uid) for uid in uids if uid != without]
        return [self._disk(entry) for entry in entries if entry and not entry.pvc.deleting]

    def _disk(self, entry: _Entry) -> VmDisk:
        """Return a disk; it is bound if its prime PVC is."""
        if not entry.pvc.bound and (prime := self._prime_of(entry.pvc)) and prime.pvc.bound:
            return VmDisk(entry.pvc, bound=True, node_terms=self._node_terms(prime))
        return VmDisk(entry.pvc, entry.pvc.bound, self._node_terms(entry))

    def _node_terms(self, entry: _Entry) -> list[Json] | None:
        return None if entry.terms is None else self._terms[entry.terms]

    def _known_terms(self, pvc: Pvc, known: _Entry | None) -> int | None:
        """Return the terms if a PVC keeps its volume, or takes it over from its prime PVC."""
        for entry in filter(None, (known, self._prime_of(pvc))):
            if pvc.volume and entry.pvc.volume == pvc.volume:
                return entry.terms
        return None

    def _add(self, entry: _Entry) -> None:
        pvc = entry.pvc
        self._entries[pvc.uid] = _pack(entry)
        if vm := vm_of(pvc):
            known = self._vms.get(vm, ())
            if pvc.uid not in known and len(known) < MAX_DISKS:
                self._vms[vm] = (*known, pvc.uid)
        if populated := find_populated_uid(pvc.name):
            self._primes[sys.intern(pvc.namespace), populated] = pvc.uid

    def _remove(self, entry: _Entry) -> Changed:
        pvc = entry.pvc
        changed = self._vms_of(pvc)
        del self._entries[pvc.uid]
        if vm := vm_of(pvc):
            self._vms[vm] = tuple(uid for uid in self._vms.get(vm, ()) if uid != pvc.uid)
            if not self._vms[vm]:
                del self._vms[vm]
        prime = (pvc.namespace, find_populated_uid(pvc.name))
        if self._primes.get(prime) == pvc.uid:  # unless it has been created again
            del self._primes[prime]
        return changed

    def _vms_of(self, pvc: Pvc) -> Changed:
        """Return the VM of a disk, or of the disk that a prime PVC fills."""
        populated = self._get(find_populated_uid(pvc.name))
        if populated and populated.pvc.namespace != pvc.namespace:
            return ()
        vm = vm_of(populated.pvc if populated else pvc)
        return (vm,) if vm else ()


def _is_unread(entry: _Entry) -> bool:
    return bool(entry.pvc.volume) and entry.terms is None


def vm_of(pvc: Pvc) -> VmRef | None:
    """Return the VM of a disk; None for a prime PVC, and for labels without a VM or migration."""
    if pvc.ref is None or not pvc.migration or not pvc.vm:
        return None
    return VmRef(sys.intern(pvc.namespace), sys.intern(pvc.migration), pvc.vm)
