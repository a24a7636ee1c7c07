"""The conflicts of all running migrations of a plan, for reports on many plans."""

from collections.abc import Iterator, Mapping

from webhook.inventory import VmDisk, VmRef
from webhook.kube.objects import encode
from webhook.model import Installation, Mode, Plan, SiblingDisk
from webhook.placement.conflicts import find_conflicts
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
    """Yield the conflicts of a plan's VMs, sorted; the migration of some may have ended.

    Disks of many VMs are in the same places, which are compared once if there is no conflict.
    """
    if mode_of(plan, plan.target_namespace, installation) is Mode.OFF:
        return
    users = build_disk_users(plan, installation, surroundings)
    without_conflict: set[bytes] = set()
    for vm, found in sorted(disks.items()):
        siblings = [SiblingDisk(each.pvc.name, each.bound, each.node_terms) for each in found]
        places = encode([each.node_terms for each in siblings if each.bound])
        if places in without_conflict:
            continue
        conflicts = find_conflicts(vm.vm, siblings, users, surroundings)
        for conflict in conflicts:
            yield vm, ConflictRow(vm.vm, conflict.kind, conflict.message)
        if not conflicts:
            without_conflict.add(places)
