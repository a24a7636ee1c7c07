"""Settings applied to one pod.

`place` takes the pod as a dict and returns another one, which shares unchanged parts with the pod
and with the plan. It does not change its arguments.
"""

from typing import Any

import msgspec

from webhook.kube.objects import Json, unite
from webhook.model import (
    ClusterState,
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
from webhook.placement.role_settings import applies, settings_for
from webhook.placement.shape import MalformedPod, check
from webhook.settings.own_pods import identity_labels, role_labels

__all__ = ["MalformedPod", "Placed", "has_settings", "own_labels", "place", "place_enforced"]


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
    metadata, spec = pod.get("metadata") or {}, pod.get("spec") or {}
    annotations = metadata.get("annotations") or {}
    key, marker = f"{installation.prefix}/placement", _marker(plan)
    again = annotations.get(key) == marker
    if again and migration_pod.role in _ROLES_BY_PVC and migration_pod.pvc:
        return Placed(pod, marked=True)
    settings, problems, refusal = settings_for(migration_pod, plan, installation)
    is_convertor = migration_pod.role is Role.CONVERTOR and applies(migration_pod, plan)
    if not (is_convertor or has_settings(settings)):
        return Placed(pod, key in annotations, problems=problems, refusal=refusal)

    is_marked = is_convertor or migration_pod.role is not Role.CONVERTOR
    added = own_labels(migration_pod, plan, installation) if is_marked else {}
    labels, notes = place_labels(metadata.get("labels") or {}, settings, added, installation.prefix)
    placed_spec, replaced, error = _place_spec(
        spec, settings, cluster, again=again, has_node=migration_pod.has_node
    )
    changed = {"metadata": _with(metadata, labels=labels), "spec": placed_spec}
    if has_settings(settings) or changed != {"metadata": metadata, "spec": spec}:
        annotations = settings.pod_annotations | annotations | {key: marker}
        changed["metadata"] = _with(changed["metadata"], annotations=annotations)
    return Placed(
        pod=_with(pod, **changed),
        marked=key in annotations,
        notes=notes + replaced,
        problems=problems + ([Problem(f"Plan {plan}", error)] if error else []),
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
    check(pod)
    bare = msgspec.structs.replace(plan, settings=Settings(pods=()))
    settings, problems, _ = settings_for(migration_pod, bare, installation)
    spec, notes, error = _place_spec(
        pod.get("spec") or {}, settings, cluster, again=False, has_node=migration_pod.has_node
    )
    return Placed(
        pod=_with(pod, spec=spec),
        marked=False,
        notes=notes,
        problems=problems + ([Problem(f"Plan {plan}", error)] if error else []),
    )


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


def _place_spec(
    spec: Json, settings: Settings, cluster: ClusterState, *, again: bool, has_node: bool
) -> tuple[Json, list[str], str]:
    """Return the spec of a placed pod, notes on replaced values, and an error message."""
    tolerations = unite(spec.get("tolerations") or [], settings.tolerations)
    if has_node:  # its kubelet would reject it for a selector or affinity
        return _with(spec, tolerations=tolerations), [], ""
    selector, moved, notes = place_node_selector(spec.get("nodeSelector") or {}, settings)
    rules = node_rules(settings, moved)
    affinity = place_pod_affinity(spec.get("affinity") or {}, settings)
    node_affinity, error = place_node_affinity(
        affinity.get("nodeAffinity") or {}, rules, cluster.node_values, again=again
    )
    placed = _with(
        spec,
        nodeSelector=selector,
        affinity=_with(affinity, nodeAffinity=node_affinity),
        tolerations=tolerations,
    )
    return placed, notes, error


def _marker(plan: Plan) -> str:
    """Return the value of the placement annotation. It is written in mode enforce only."""
    marker = {"plan": str(plan), "generation": plan.generation, "mode": Mode.ENFORCE}
    return msgspec.json.encode(marker).decode()


def _with(parent: Json, **fields: Any) -> Json:
    """Return `parent` with these fields; an empty field is the same as null or absent."""
    return parent | {field: value for field, value in fields.items() if value or parent.get(field)}
