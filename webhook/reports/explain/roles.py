"""The nodes that the pods of each role fit, and the VMs, and those that they have in common.

Pods and VMs use the same disks, so there has to be a node, or for volumes of a zone a zone, that
all of them fit.
"""

from collections.abc import Iterator

from webhook.karl.pod_rule_warnings import list_required_pod_terms
from webhook.karl.syntax import TOPOLOGIES
from webhook.kube.objects import Json, labels_of, name_of
from webhook.kube.scheduler import Verdict, run_filters
from webhook.model import MigrationPod, Role, Settings
from webhook.placement import has_settings
from webhook.placement.required_rules import list_role_rules, list_vm_rules, name_setting
from webhook.placement.role_settings import settings_for
from webhook.reports.explain.context import ExplainContext
from webhook.reports.explain.model import Advice, CommonPlaces, RoleRow
from webhook.reports.explain.pods import build_new_pod
from webhook.settings.names import ROLE_SETTINGS

VM = "vm"
_NONE = "none"
_ENFORCED = "only those that the installation enforces"
_ZONE = TOPOLOGIES["zone"]

_NOTES = {
    Role.CONVERTOR: "all settings",
    Role.INSPECTION: "all settings",
    Role.FIRST_CONSUMER: "required rules, no preferences",
    Role.IMPORTER: "rules as preferences",
    Role.POPULATOR: "rules as preferences",
}


def list_role_rows(context: ExplainContext, convertor: list[Verdict], vm: Json) -> list[RoleRow]:
    """Return a row for convertors, for each other role that the plan places, and for its VMs.

    `convertor` are the verdicts of a new convertor pod, `vm` is the pod of a VM. Without nodes
    there are no rows.
    """
    if not context.snapshot.nodes:
        return []
    rows = [_row(context, Role.CONVERTOR, convertor, _describe_settings(Role.CONVERTOR, context))]
    for role in Role:
        settings = _describe_settings(role, context)
        if role is not Role.CONVERTOR and settings != _NONE:
            verdicts = run_filters(build_new_pod(context, role), context.snapshot)
            rows.append(_row(context, role, verdicts, settings))
    rules = " and ".join(map(str, list_vm_rules(context.plan)))
    return [*rows, _row(context, VM, run_filters(vm, context.snapshot), rules)]


def find_common_places(rows: list[RoleRow]) -> CommonPlaces:
    """Return the nodes and zones that the users of disks have in common: all but inspections."""
    users = _list_disk_users(rows)
    return CommonPlaces(
        _intersect([row.nodes for row in users]), _intersect([row.zones for row in users])
    )


def advise_on_roles(rows: list[RoleRow], context: ExplainContext) -> Iterator[Advice]:
    """Yield what to change if users of disks have no node or zone in common.

    There is other advice if a convertor pod fits no node at all, or is not placed.
    """
    users = _list_disk_users(rows)
    if context.unplaced_reason or not users or not users[0].nodes:
        return
    for row in users:
        if not row.nodes:
            yield Advice(f"no node fits {row.title}", f"change {_name_settings(row, context)}")
    fitting = [row for row in users if row.nodes]
    for index, row in enumerate(fitting):
        for other in fitting[index + 1 :]:
            if not {*row.nodes} & {*other.nodes} and not {*row.zones} & {*other.zones}:
                settings = dict.fromkeys(
                    (_name_settings(row, context), _name_settings(other, context))
                )
                yield Advice(
                    f"no node or zone fits both {row.title} and {other.title}, which use the same "
                    "disks",
                    f"change {' or '.join(settings)}",
                )


def _list_disk_users(rows: list[RoleRow]) -> list[RoleRow]:
    return [row for row in rows if row.role != Role.INSPECTION]


def _intersect(lists: list[list[str]]) -> list[str]:
    first, *others = lists or [[]]
    return [each for each in first if all(each in other for other in others)]


def _row(context: ExplainContext, role: str, verdicts: list[Verdict], settings: str) -> RoleRow:
    fitting = {verdict.node for verdict in verdicts if verdict.fits}
    nodes = [node for node in context.snapshot.nodes if name_of(node) in fitting]
    zones = {labels_of(node)[_ZONE] for node in nodes if _ZONE in labels_of(node)}
    return RoleRow(role, sorted(fitting), sorted(zones), settings)


def _describe_settings(role: Role, context: ExplainContext) -> str:
    """Return which of the plan's settings apply to a role, and those of its own."""
    plan, installation = context.plan, context.installation
    if context.unplaced_reason or role not in plan.settings.pods:
        is_enforced = context.has_floor or not context.unplaced_reason
        has_rules = installation.enforced != Settings() and role in installation.roles
        return _ENFORCED if is_enforced and has_rules else _NONE
    settings = settings_for(MigrationPod(role), plan, installation).settings
    if not has_settings(settings):
        return _NONE
    names = [name_setting(name, role, plan) for name in ROLE_SETTINGS]
    return ", ".join([_NOTES[role], *(name for name in names if name not in ROLE_SETTINGS)])


def _name_settings(row: RoleRow, context: ExplainContext) -> str:
    """Return the names of the settings that decide where a pod or VM can run."""
    if row.role == VM:
        names = [rule.setting for rule in list_vm_rules(context.plan)]
        return " or ".join(dict.fromkeys(names)) or "the taints of the nodes"
    role = Role(row.role)
    names = [rule.setting for rule in list_role_rules(role, context.plan, context.installation)]
    settings = settings_for(MigrationPod(role), context.plan, context.installation).settings
    if list_required_pod_terms(settings.affinity):
        names.append(name_setting("affinity", role, context.plan))
    found = " or ".join(dict.fromkeys(names))
    return found or name_setting("tolerations", role, context.plan)
