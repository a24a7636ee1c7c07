"""Warnings about the settings for single roles: those without effect, and those with a risk."""

from collections.abc import Iterator

from webhook.karl.pod_rule_warnings import find_pod_rule_warnings
from webhook.kube.affinity import POD_KINDS, REQUIRED
from webhook.kube.objects import nested_map
from webhook.kube.spread import is_hard
from webhook.model import Disks, Installation, Plan, Role, RoleSettings
from webhook.settings.names import ROLE_FIELDS, of_role, to_field

_PODS = {Role.IMPORTER: "an importer", Role.POPULATOR: "a populator"}
"""The pods that have no limit of time in which they must run."""


def find_role_warnings(plan: Plan, installation: Installation) -> Iterator[str]:
    """Yield the warnings about the settings of a plan for single roles."""
    without_effect: list[str] = []
    missing: list[Role] = []
    for role, own in plan.settings.roles.items():
        if role not in plan.settings.pods:
            listed = _list_settings(role, own, installation)
            without_effect += listed
            missing += [role] * bool(listed)
        else:
            yield from _find_required_rules(role, own)
            yield from _find_pod_rule_warnings(role, own, plan)
    together = plan.settings.disks is Disks.TOGETHER and "disks" not in installation.defaults
    if together and Role.FIRST_CONSUMER not in plan.settings.pods:
        without_effect.append("disks")
        missing.append(Role.FIRST_CONSUMER)
    if without_effect:
        selected = " and ".join(plan.settings.pods) or "no role"
        roles = dict.fromkeys(missing)
        remedy = f"add {' and '.join(roles)} to the annotation {installation.prefix}/pods"
        if excluded := [role for role in roles if role not in installation.roles]:
            remedy = f"limits.roles of the installation does not have {' and '.join(excluded)}"
        yield f"{', '.join(without_effect)}: no effect, because pods selects {selected}; {remedy}"


def _list_settings(role: Role, own: RoleSettings, installation: Installation) -> list[str]:
    """Return the settings for a role, without those of the defaults: other plans may use these."""
    defaults = nested_map(installation.defaults, "roles", role)
    return [
        of_role(name, role)
        for field, name in ROLE_FIELDS.items()
        if getattr(own, to_field(name)) is not None and defaults.get(field) is None
    ]


def _find_required_rules(role: Role, own: RoleSettings) -> Iterator[str]:
    """Yield the warnings about rules that may leave a pod pending after the cutover."""
    if role not in _PODS:
        return
    required = {
        "affinity": any(map(is_hard, own.spread or ()))
        or any(
            nested_map(own.affinity, kind).get(REQUIRED) for kind in ("nodeAffinity", *POD_KINDS)
        ),
        "node-selector": own.node_selector or own.node_requirements,
    }
    for name in filter(required.get, required):
        yield (
            f"{of_role(name, role)} has required rules: {_PODS[role]} that fits no node stays "
            "pending without a time limit, also after the cutover, while the VM is off; as general "
            "settings, or with PREFER, they are preferences for these pods"
        )


def _find_pod_rule_warnings(role: Role, own: RoleSettings, plan: Plan) -> Iterator[str]:
    if role is not Role.CONVERTOR:  # its rules are those of the placed pod
        metadata = {"namespace": plan.target_namespace}
        pod = {"metadata": metadata, "spec": {"affinity": own.affinity or {}}}
        for warning in find_pod_rule_warnings(pod):
            yield f"{of_role('affinity', role)}: {warning}"
