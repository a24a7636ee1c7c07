"""Settings applied to one pod.

`place` takes the pod as a dict and returns another one, which shares unchanged parts with the pod
and with the plan. It does not change its arguments.
"""

from typing import Any, NamedTuple

import msgspec

from webhook.kube.objects import Json, unite
from webhook.model import (
    ClusterState,
    ConvertorProfile,
    Installation,
    MigrationPod,
    Mode,
    Plan,
    Problem,
    Role,
    Settings,
)
from webhook.placement.labels import place_labels
from webhook.placement.node_affinity import node_rules, place_node_affinity
from webhook.placement.node_selector import place_node_selector
from webhook.placement.pod_affinity import place_pod_affinity
from webhook.placement.priority import place_priority
from webhook.placement.profile import place_profile
from webhook.placement.resources import place_resources
from webhook.placement.role_settings import applies, settings_for
from webhook.placement.shape import MalformedPod, check
from webhook.placement.spread import place_spread
from webhook.settings.mode import installation_for
from webhook.settings.own_pods import identity_labels, role_labels

__all__ = [
    "MalformedPod",
    "Placed",
    "has_settings",
    "own_labels",
    "place",
    "place_enforced",
    "profile_of",
    "reads_whole_pod",
]


class Placed(msgspec.Struct, frozen=True):
    """A pod with the settings of its plan."""

    pod: Json
    marked: bool
    """True if the pod has the placement annotation, now or from an earlier review."""
    notes: list[str] = []
    """Warnings: a sentence for each value of the pod that differs from the plan's."""
    problems: list[Problem] = []
    refusal: str = ""
    """The reason why the pod has to be created again later; empty to place it now."""


CONVERTOR_POD = MigrationPod()
NO_STATE = ClusterState()
NO_PROFILE = ConvertorProfile()
_ROLES_BY_PVC = frozenset({Role.FIRST_CONSUMER, Role.IMPORTER})
"""The roles of importers, by the state of a PVC, which may have changed since the first placement:
the rules of both states together may exclude every node, so there is only one placement."""


def place(
    pod: Json,
    plan: Plan,
    installation: Installation,
    cluster: ClusterState = NO_STATE,
    migration_pod: MigrationPod = CONVERTOR_POD,
) -> Placed:
    """Give a pod the settings of its plan, by its role, and those that the installation enforces.

    Placing a placed pod again changes nothing.

    Raises:
        MalformedPod: a field of a placement does not have the type that Kubernetes defines.

    """
    check(pod)
    metadata = pod.get("metadata") or {}
    annotations = metadata.get("annotations") or {}
    key, marker = f"{installation.prefix}/placement", _marker(plan)
    again = annotations.get(key) == marker
    if again and migration_pod.role in _ROLES_BY_PVC and migration_pod.pvc:
        return Placed(pod, marked=True)
    settings, problems, refusal, overridden = settings_for(migration_pod, plan, installation)
    is_convertor = migration_pod.role is Role.CONVERTOR and applies(migration_pod, plan)
    profile = profile_of(migration_pod, plan, installation)
    if not (is_convertor or has_settings(settings) or profile):
        return Placed(pod, key in annotations, problems=problems, refusal=refusal)

    is_marked = is_convertor or migration_pod.role is not Role.CONVERTOR
    added = own_labels(migration_pod, plan, installation) if is_marked else {}
    labels, notes = place_labels(metadata.get("labels") or {}, settings, added, installation.prefix)
    spec = _place_spec(
        pod, _Wanted(settings, profile, migration_pod, installation), cluster, again=again
    )
    annotations = annotations | spec.annotations
    metadata = _with(metadata, labels=labels, annotations=annotations)
    placed = _with(pod, metadata=metadata, spec=spec.spec)
    if has_settings(settings) or placed != pod:
        annotations = settings.pod_annotations | annotations | {key: marker}
        placed |= {"metadata": metadata | {"annotations": annotations}}
    return Placed(
        pod=placed,
        marked=key in annotations,
        notes=notes + overridden + spec.notes,
        problems=problems + [Problem(f"Plan {plan}", each) for each in spec.errors],
        refusal=refusal,
    )


def place_enforced(
    pod: Json,
    plan: Plan,
    installation: Installation,
    cluster: ClusterState = NO_STATE,
    migration_pod: MigrationPod = CONVERTOR_POD,
) -> Placed:
    """Give a pod of a plan only what the installation enforces, as if the plan had no settings.

    The pod gets neither labels nor the placement annotation: its plan does not place it.

    Raises:
        MalformedPod: as `place`.

    """
    bare = msgspec.structs.replace(plan, settings=Settings(pods=()))
    settings, problems, _, _ = settings_for(migration_pod, bare, installation)
    profile = profile_of(migration_pod, plan, installation)
    if not (has_settings(settings) or profile):
        return Placed(pod, marked=False, problems=problems)
    check(pod)
    spec = _place_spec(
        pod, _Wanted(settings, profile, migration_pod, installation), cluster, again=False
    )
    metadata = pod.get("metadata") or {}
    annotations = (metadata.get("annotations") or {}) | spec.annotations
    return Placed(
        pod=_with(pod, metadata=_with(metadata, annotations=annotations), spec=spec.spec),
        marked=False,
        notes=spec.notes,
        problems=problems + [Problem(f"Plan {plan}", each) for each in spec.errors],
    )


def profile_of(
    pod: MigrationPod, plan: Plan, installation: Installation
) -> ConvertorProfile | None:
    """Return the profile of a convertor pod; None for others, and if the installation has none.

    A pod with a preset node has none: its kubelet would reject it for a runtime class.
    """
    profile = installation_for(plan, installation).profile_for(plan.target_namespace)
    is_convertor = pod.role is Role.CONVERTOR and not pod.has_node
    return profile if is_convertor and profile != NO_PROFILE else None


def reads_whole_pod(plan: Plan, installation: Installation) -> bool:
    """Return whether placements depend on more of a convertor pod than where it runs."""
    own = plan.settings
    of_roles = any(each.resources or each.priority_class for each in own.roles.values())
    profile = installation.profile_for(plan.target_namespace)
    return bool(own.resources or own.priority_class or of_roles) or profile != NO_PROFILE


def has_settings(settings: Settings) -> bool:
    """Return whether these settings would place a pod at all."""
    return bool(
        settings.labels
        or settings.node_selector
        or settings.node_requirements
        or settings.affinity
        or settings.spread
        or settings.tolerations
        or settings.resources
        or settings.priority_class
        or settings.pod_annotations
    )


def own_labels(pod: MigrationPod, plan: Plan, installation: Installation) -> dict[str, str]:
    """Return the labels that the webhook adds by itself."""
    if pod.role is not Role.CONVERTOR:
        return role_labels(pod.role, installation)
    return identity_labels(plan) if installation.identity_labels else {}


class _Wanted(NamedTuple):
    """The settings for one pod, from its plan and from the installation."""

    settings: Settings
    profile: ConvertorProfile | None
    pod: MigrationPod
    installation: Installation


class _PlacedSpec(NamedTuple):
    """The spec of a placed pod, and the annotations that belong to it."""

    spec: Json
    annotations: dict[str, str]
    notes: list[str]
    errors: list[str]


def _place_spec(pod: Json, wanted: _Wanted, cluster: ClusterState, *, again: bool) -> _PlacedSpec:
    """Return the spec of a placed pod, notes on replaced values, and error messages."""
    settings, profile, migration_pod, installation = wanted
    spec: Json = pod.get("spec") or {}
    tolerations = unite(spec.get("tolerations") or [], settings.tolerations)
    if migration_pod.has_node:  # its kubelet would reject it for a selector or affinity
        return _PlacedSpec(_with(spec, tolerations=tolerations), {}, [], [])
    selector, moved, notes = place_node_selector(spec.get("nodeSelector") or {}, settings)
    rules = node_rules(settings, moved)
    affinity = place_pod_affinity(spec.get("affinity") or {}, settings)
    node_affinity, error = place_node_affinity(
        affinity.get("nodeAffinity") or {}, rules, cluster.node_values, again=again
    )
    spread = place_spread(
        spec.get("topologySpreadConstraints") or [], settings.spread, installation.kubernetes
    )
    placed = _with(
        spec,
        nodeSelector=selector,
        affinity=_with(affinity, nodeAffinity=node_affinity),
        tolerations=tolerations,
        topologySpreadConstraints=spread.constraints,
    )
    notes += spread.notes
    errors = [error] if error else []
    if settings.priority_class:
        priority = place_priority(placed, settings.priority_class, cluster.priority_classes)
        placed, notes = placed | priority.fields, notes + priority.notes
        errors += filter(None, [priority.error])
    if settings.resources:
        resources = place_resources(placed.get("containers"), settings.resources)
        placed = _with(placed, containers=resources.containers)
        notes, errors = notes + resources.notes, errors + resources.errors
    annotations: dict[str, str] = {}
    if profile:
        found = place_profile(placed, profile, installation)
        placed, annotations = found.spec, found.annotations
        notes, errors = notes + found.notes, errors + found.errors
    return _PlacedSpec(placed, annotations, notes, errors)


def _marker(plan: Plan) -> str:
    """Return the value of the placement annotation. It is written in mode enforce only."""
    marker = {"plan": str(plan), "generation": plan.generation, "mode": Mode.ENFORCE}
    return msgspec.json.encode(marker).decode()


def _with(parent: Json, **fields: Any) -> Json:
    """Return `parent` with these fields; an empty field is the same as null or absent."""
    return parent | {field: value for field, value in fields.items() if value or parent.get(field)}
