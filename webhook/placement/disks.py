"""Disks of one VM in one place, for plans with `disks: together`.

Each importer of a WaitForFirstConsumer volume binds the volume of one disk, and the convertor pod
later needs all of them. Admission cannot place two importers together, so one of them binds its
volume first, and the others are refused until then: CDI creates them again.
"""

from typing import NamedTuple

from webhook.karl.contradiction import is_unsatisfiable
from webhook.kube.affinity import and_node_terms
from webhook.kube.objects import Json
from webhook.model import Disk, Disks, Plan, Problem, SiblingDisk

ARRIVAL_SECONDS = 5
"""The age of a PVC from which all PVCs of its VM are assumed to be known: they are created within a
second of each other."""
MAX_WAIT_SECONDS = 600
"""The age of a PVC from which its importer no longer waits for other disks."""


class DiskRules(NamedTuple):
    """The rules for a first consumer that follow from the other disks of its VM."""

    node_terms: list[Json] = []  # noqa: RUF012 - never changed
    """The ORed node terms of the places where they all are; empty if there is no such rule."""
    excluded: bool = False
    """True if they are in places that exclude each other."""
    refusal: str = ""
    """The reason why the importer has to wait; empty if it has not."""
    problems: list[Problem] = []  # noqa: RUF012 - never changed


def find_disk_rules(disk: Disk | None, plan: Plan) -> DiskRules:
    """Return the rules for the importer of a disk that is not bound yet.

    None for `disk` is a pod that binds all disks of its VM, or an importer whose PVC is not known.
    CDI also creates an importer while the PVC is being deleted, which has nothing to wait for.
    """
    if disk is None or disk.pvc.deleting or plan.settings.disks is not Disks.TOGETHER:
        return DiskRules()
    waits_for = _find_awaited(disk)
    if waits_for and disk.age_seconds < MAX_WAIT_SECONDS:
        return DiskRules(refusal=waits_for)
    problems = [_waited_too_long(plan, waits_for)] if waits_for else []
    bound = [each for each in disk.siblings if each.bound]
    try:
        node_terms = _and_all([each.node_terms for each in bound if each.node_terms])
    except ValueError as error:
        return DiskRules(excluded=True, problems=[_excluding(disk, bound, plan, str(error))])
    return DiskRules(node_terms, problems=problems)


def _find_awaited(disk: Disk) -> str:
    """Return a sentence that names the disk that has to be bound first, or is to be read.

    A volume of another class may be reachable from more nodes than those of this one, so two disks
    that follow it could still be bound apart: they are bound one at a time.
    """
    name = f"the importer of disk '{disk.pvc.name}' waits"
    bound = [each for each in disk.siblings if each.bound]
    if unread := next((each for each in bound if each.node_terms is None), None):
        return f"{name} until the PersistentVolume of disk '{unread.name}' of the same VM is read"
    if any(each.storage_class == disk.pvc.storage_class for each in bound):
        return ""
    if disk.age_seconds < ARRIVAL_SECONDS:
        return f"{name} until all disks of its VM are known, {ARRIVAL_SECONDS} s after its creation"
    return "" if disk.is_first else f"{name} until an older disk of the same VM is bound"


def _and_all(places: list[list[Json]]) -> list[Json]:
    """Return the node terms that are met where all are met.

    Raises:
        ValueError: there is no such place, or there are too many terms.

    """
    terms: list[Json] = []
    for place in places:
        terms = and_node_terms(terms, place) if terms else place
        terms = [each for each in terms if not is_unsatisfiable(each.get("matchExpressions") or ())]
        if not terms:
            raise ValueError("no node can reach all of them")
    return terms


def _waited_too_long(plan: Plan, waits_for: str) -> Problem:
    return Problem(
        f"Plan {plan}",
        f"expected the disks of a VM together, but after {MAX_WAIT_SECONDS // 60} minutes "
        f"{waits_for}: it is placed by itself now; find out why the other disk is not bound",
    )


def _excluding(disk: Disk, bound: list[SiblingDisk], plan: Plan, why: str) -> Problem:
    names = ", ".join(f"'{each.name}'" for each in bound)
    return Problem(
        f"Plan {plan}",
        f"expected the disks of a VM together, found disks {names} of VM '{disk.pvc.vm}' in places "
        f"that exclude each other: {why}; the importer of disk '{disk.pvc.name}' gets no rules, "
        "cancel the migration of the VM and start it again",
    )
