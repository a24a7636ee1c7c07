"""The conflicts of all running migrations of a plan, for reports on many plans."""

from collections.abc import Iterator, Mapping

from webhook.inventory import VmDisk, VmRef
from webhook.model import Installation, Mode, Plan
from webhook.placement.conflicts import ConflictSearch
from webhook.placement.disk_users import Surroundings, build_disk_users
from webhook.reports.explain.model import ConflictRow
from webhook.settings.mode import mode_of

VmConflict = tuple[VmRef, ConflictRow]


def find_plan_conflicts(
    plan: Plan,
    disks: Mapping[VmRef, list[VmDisk]],
    installation: Installation,
    surroundings: Surroundings,
) -> Iterator[VmConflict]:
    """Yield the conflicts of a plan's VMs, sorted; the migration of some may have ended."""
    if mode_of(plan, plan.target_namespace, installation) is Mode.OFF:
        return
    users = build_disk_users(plan, installation, surroundings)
    search = ConflictSearch(users, surroundings)
    for vm, found in sorted(disks.items()):
        for conflict in search.find(vm.vm, (disk.as_sibling() for disk in found)):
            yield vm, ConflictRow(vm.vm, conflict.kind, conflict.message)
