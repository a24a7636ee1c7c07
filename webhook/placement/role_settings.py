"""The settings of a plan for one of its pods, by the role of the pod.

Each role gets what cannot harm it. A first consumer decides where a volume is, so it gets the
required rules, and no others. Any other importer or populator only becomes faster or slower by a
rule, and the VM is off while one is pending at the cutover: its rules become preferences. A pod
with a preset node gets nothing that its kubelet would compare with the node.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from webhook.kube.affinity import merge_affinities
from webhook.kube.objects import Json, unite
from webhook.kube.spread import merge_spread, spread_key
from webhook.kube.tolerations import covers_no_execute
from webhook.model import (
    AffinityPolicy,
    Installation,
    MigrationPod,
    Plan,
    Problem,
    Role,
    RoleSettings,
    Settings,
)
from webhook.placement.disks import DiskRules, find_disk_rules
from webhook.placement.softening import AffinityParts, join, soften, split
from webhook.placement.spread import describe_conflict
from webhook.settings.mode import installation_for
from webhook.settings.own_pods import OwnPods, list_own_pods

SOFTENED_ROLES = (Role.IMPORTER, Role.POPULATOR)
"""The roles for which general rules are preferences."""
_ROLES_WITH_PRIORITY = frozenset({Role.CONVERTOR, *SOFTENED_ROLES})
_NO_SETTINGS = Settings()
_NO_ROLE_SETTINGS = RoleSettings()


class PodSettings(NamedTuple):
    """The settings for one pod."""

    settings: Settings
    problems: list[Problem] = []  # noqa: RUF012 - never changed
    refusal: str = ""
    """The reason why the pod has to be created again later; empty to place it now."""
    notes: list[str] = []  # noqa: RUF012 - never changed
    """A sentence for each rule of the plan that those which the installation enforces override."""


def settings_for(pod: MigrationPod, plan: Plan, installation: Installation) -> PodSettings:
    """Return the settings for a pod of a plan, by its role, its disk and its preset node.

    What the installation enforces is among them, also if the plan does not apply to this role.
    """
    enforced = installation_for(plan, installation).enforced
    if enforced != _NO_SETTINGS and pod.role not in installation.roles:
        enforced = _NO_SETTINGS
    if pod.has_node:
        own = _for_preset_node(pod, plan, installation)
        tolerations = unite(own.tolerations, enforced.tolerations)
        return PodSettings(msgspec.structs.replace(own, tolerations=tolerations))
    found = PodSettings(Settings())
    if applies(pod, plan):
        own_settings = plan.settings.roles.get(pod.role, _NO_ROLE_SETTINGS)
        found = _for_role(
            override(plan.settings, own_settings), own_settings, pod, plan, installation
        )
    if enforced == _NO_SETTINGS:
        return found
    floor = _for_role(enforced, _NO_ROLE_SETTINGS, pod, plan, installation).settings
    settings, problems = _add_enforced(found.settings, floor, plan)
    overridden = _find_overridden(found.settings.spread, floor.spread)
    return PodSettings(settings, found.problems + problems, found.refusal, overridden)


def applies(pod: MigrationPod, plan: Plan) -> bool:
    """Return whether the settings of a plan apply to pods of this role."""
    return pod.role in plan.settings.pods


def override(settings: Settings, own: RoleSettings) -> Settings:
    """Return the settings with those of a role in place of the general ones."""
    changed = {
        field: value
        for field in RoleSettings.__struct_fields__
        if (value := getattr(own, field)) is not None
    }
    if "affinity" in changed:
        changed = {"copied": {}, "spread": []} | changed
    return msgspec.structs.replace(settings, **changed) if changed else settings


def _for_role(
    settings: Settings, own: RoleSettings, pod: MigrationPod, plan: Plan, installation: Installation
) -> PodSettings:
    """Return the part of settings that pods of this role get; `own` are those written for it."""
    settings = _select_fields(settings, pod)
    if pod.role is Role.CONVERTOR:
        return PodSettings(settings)
    affinity = split(settings.affinity)
    if own.affinity is None:
        affinity = _without_own_pods(affinity, list_own_pods(plan, installation))
    if pod.role in SOFTENED_ROLES:
        return PodSettings(
            soften(
                _with_affinity(settings, affinity),
                affinity=own.affinity is None,
                node_selector=own.node_selector is None,
            )
        )
    if pod.role is Role.FIRST_CONSUMER:
        return _for_first_consumer(settings, affinity, find_disk_rules(pod.disk, plan))
    return PodSettings(_with_affinity(settings, affinity))


def _select_fields(settings: Settings, pod: MigrationPod) -> Settings:
    """Return the settings without those that pods of this role never get.

    A pod that only binds volumes runs where the convertor will run, so it requests as much.
    """
    changed: dict[str, Any] = {}
    if settings.resources and pod.role is not Role.CONVERTOR:
        is_consumer = pod.role is Role.FIRST_CONSUMER and pod.pvc is None
        changed["resources"] = {
            name: quantity
            for name, quantity in settings.resources.items()
            if is_consumer and name.startswith("requests.")
        }
    if settings.priority_class and pod.role not in _ROLES_WITH_PRIORITY:
        changed["priority_class"] = ""
    if settings.spread and pod.role is Role.FIRST_CONSUMER:
        changed["spread"] = []
    return msgspec.structs.replace(settings, **changed) if changed else settings


def _add_enforced(
    settings: Settings, floor: Settings, plan: Plan
) -> tuple[Settings, list[Problem]]:
    """Add what the installation enforces; the plan's affinity is left out if both are too much."""
    problems: list[Problem] = []
    has_rules = settings.affinity or settings.spread
    try:
        affinity = merge_affinities(settings.affinity, floor.affinity)
    except ValueError as error:
        affinity = floor.affinity
        message = (
            f"the affinity is not applied: with that which the installation enforces it {error}"
        )
        problems.append(Problem(f"Plan {plan}", message))
    return (
        msgspec.structs.replace(
            settings,
            node_selector=settings.node_selector | floor.node_selector,
            node_requirements=unite(settings.node_requirements, floor.node_requirements),
            affinity=affinity,
            affinity_policy=settings.affinity_policy if has_rules else AffinityPolicy.MERGE,
            spread=merge_spread(settings.spread, floor.spread),
            tolerations=unite(settings.tolerations, floor.tolerations),
        ),
        problems,
    )


def _find_overridden(spread: list[Json], enforced: list[Json]) -> list[str]:
    by_key = {spread_key(each): each for each in enforced}
    return [
        describe_conflict(each, "the installation enforces")
        for each in spread
        if by_key.get(spread_key(each), each) != each
    ]


def _for_preset_node(pod: MigrationPod, plan: Plan, installation: Installation) -> Settings:
    """Return labels, annotations and tolerations for a pod whose node another pod has chosen.

    The tolerations of that pod that cover NoExecute keep this one on the node, so they apply to
    every role that the API server calls the webhook for, whether the plan selects it or not.
    """
    if pod.role not in installation.roles:
        return Settings()
    general = plan.settings
    by_role = {
        role: override(general, general.roles.get(role, _NO_ROLE_SETTINGS))
        for role in dict.fromkeys((*general.pods, pod.role))
    }
    own = by_role[pod.role] if applies(pod, plan) else Settings()
    tolerations = own.tolerations
    for role in general.pods:
        tolerations = unite(tolerations, _select_no_execute(by_role[role].tolerations))
    return Settings(labels=own.labels, tolerations=tolerations, pod_annotations=own.pod_annotations)


def _select_no_execute(tolerations: Iterable[Json]) -> list[Json]:
    return [each for each in tolerations if covers_no_execute(each)]


def _without_own_pods(affinity: AffinityParts, own_pods: OwnPods) -> AffinityParts:
    """Drop the required pod terms that select pods of the plan's own migrations.

    Such a term would wait for a convertor pod that comes later, or drive the disks of a VM apart.
    """
    terms = {
        kind: [term for term in terms if not own_pods.may_match(term)]
        for kind, terms in affinity.pod_terms.items()
    }
    return affinity._replace(pod_terms=terms)


def _with_affinity(settings: Settings, affinity: AffinityParts) -> Settings:
    return msgspec.structs.replace(settings, affinity=join(affinity))


def _for_first_consumer(
    settings: Settings, affinity: AffinityParts, rules: DiskRules
) -> PodSettings:
    """Return the settings of a first consumer: the required rules, or those of bound disks."""
    if rules.excluded:
        settings = msgspec.structs.replace(
            settings, node_selector={}, node_requirements=[], affinity={}, copied={}
        )
    elif rules.node_terms:
        settings = soften(_with_affinity(settings, affinity))
        places = split(settings.affinity)._replace(node_terms=rules.node_terms)
        settings = _with_affinity(settings, places)
    else:
        required = affinity._replace(node_preferences=[], pod_preferences={})
        settings = _with_affinity(settings, required)
    return PodSettings(settings, rules.problems, rules.refusal)
