"""The bound disks of a plan's running migrations, and their conflicts."""

from collections.abc import Mapping

import msgspec

from webhook.forklift.progress import Progress
from webhook.inventory import VmDisk, VmRef
from webhook.kube.objects import Json, name_of
from webhook.model import SiblingDisk
from webhook.placement.conflicts import ConflictSearch, find_reaching_nodes
from webhook.placement.disk_users import DiskUsers, Surroundings
from webhook.placement.required_rules import format_terms
from webhook.reports.explain.model import ConflictRow, DiskRow

VmDisks = Mapping[VmRef, list[VmDisk]]


def select_disks(plan_object: Json, disks: VmDisks) -> dict[VmRef, list[SiblingDisk]]:
    """Return the disks of each VM whose migration has not ended."""
    progress = _read_progress(plan_object)
    return {
        vm: [disk.as_sibling() for disk in found]
        for vm, found in disks.items()
        if not progress.has_ended(vm.migration, vm.vm)
    }


def list_disk_rows(
    disks: Mapping[VmRef, list[SiblingDisk]], surroundings: Surroundings
) -> list[DiskRow]:
    """Return a row for each disk, with the nodes that reach its volume."""
    return [_row(vm, disk, surroundings) for vm, found in disks.items() for disk in found]


def list_conflicts(
    disks: Mapping[VmRef, list[SiblingDisk]], users: DiskUsers, surroundings: Surroundings
) -> list[ConflictRow]:
    """Return the conflicts of all VMs."""
    search = ConflictSearch(users, surroundings)
    return [
        ConflictRow(vm.vm, conflict.kind, conflict.message)
        for vm, found in disks.items()
        for conflict in search.find(vm.vm, found)
    ]


def _row(vm: VmRef, disk: SiblingDisk, surroundings: Surroundings) -> DiskRow:
    if not disk.bound:
        return DiskRow(vm.vm, disk.name, bound=False)
    if disk.node_terms is None:
        return DiskRow(vm.vm, disk.name, bound=True, place="not known")
    if not disk.node_terms:
        return DiskRow(vm.vm, disk.name, bound=True, place="all nodes")
    nodes = [name_of(node) for node in find_reaching_nodes([disk], surroundings.nodes)]
    return DiskRow(vm.vm, disk.name, bound=True, place=format_terms(disk.node_terms), nodes=nodes)


def _read_progress(plan_object: Json) -> Progress:
    try:
        return msgspec.convert({"status": plan_object.get("status")}, Progress)
    except msgspec.ValidationError:  # of a file
        return Progress()
