"""Settings applied to one pod.

`place` takes the pod as a dict and returns another one that shares what it did not change
with the pod and with the plan; nothing that it is given is changed.
"""

from typing import Any

import msgspec

from webhook.kube.objects import Json
from webhook.model import (
    Installation,
    Mode,
    NodeValues,
    Plan,
    Problem,
    Settings,
)
from webhook.placement.labels import place_labels
from webhook.placement.node_affinity import place_node_affinity
from webhook.placement.node_selector import place_node_selector
from webhook.placement.pod_affinity import place_pod_affinity
from webhook.placement.shape import MalformedPod, check

__all__ = ["MalformedPod", "Placed", "asks", "place"]


class Placed(msgspec.Struct, frozen=True):
    """A pod as its plan wants it."""

    pod: Json
    marked: bool
    """Whether the pod's annotation says that it was placed, now or before."""
    notes: list[str] = []
    """A sentence for each value that the plan has otherwise, for warnings: kept or replaced."""
    problems: list[Problem] = []


def place(pod: Json, plan: Plan, installation: Installation, node_values: NodeValues) -> Placed:
    """Give a convertor pod the labels, node selector, affinity and tolerations of its plan.

    `node_values` has the values of node labels that `karl.minimums.expand` asks for. To place
    a placed pod again changes nothing.

    Raises:
        MalformedPod: a field that would be changed is not what Kubernetes has there.

    """
    check(pod)
    metadata, spec = pod.get("metadata") or {}, pod.get("spec") or {}
    annotations = metadata.get("annotations") or {}
    key, marker = f"{installation.prefix}/placement", _marker(plan)

    labels, notes = place_labels(metadata.get("labels") or {}, plan, installation)
    again = annotations.get(key) == marker
    placed_spec, replaced, fault = _place_spec(spec, plan.settings, node_values, again=again)
    changed = {"metadata": _with(metadata, labels=labels), "spec": placed_spec}
    if asks(plan.settings) or changed != {"metadata": metadata, "spec": spec}:
        annotations = annotations | {key: marker}
        changed["metadata"] = _with(changed["metadata"], annotations=annotations)
    return Placed(
        pod=_with(pod, **changed),
        marked=key in annotations,
        notes=notes + replaced,
        problems=[Problem(f"Plan {plan}", fault)] if fault else [],
    )


def _place_spec(
    spec: Json, settings: Settings, node_values: NodeValues, *, again: bool
) -> tuple[Json, list[str], str]:
    """Return the spec of a placed pod, notes on replaced values, and what went wrong."""
    selector, lifted, notes = place_node_selector(spec.get("nodeSelector") or {}, settings)
    tolerations = spec.get("tolerations") or []
    affinity = place_pod_affinity(spec.get("affinity") or {}, settings)
    node_affinity, fault = place_node_affinity(
        affinity.get("nodeAffinity") or {},
        settings.affinity.get("nodeAffinity") or {},
        lifted + settings.node_requirements,
        node_values,
        again=again,
    )
    placed = _with(
        spec,
        nodeSelector=selector,
        affinity=_with(affinity, nodeAffinity=node_affinity),
        tolerations=tolerations + [one for one in settings.tolerations if one not in tolerations],
    )
    return placed, notes, fault


def _marker(plan: Plan) -> str:
    """Return what the annotation says. Only what is enforced is ever written."""
    marker = {"plan": str(plan), "generation": plan.generation, "mode": Mode.ENFORCE}
    return msgspec.json.encode(marker).decode()


def asks(settings: Settings) -> bool:
    """Whether these settings ask for anything at all."""
    return bool(
        settings.labels
        or settings.node_selector
        or settings.node_requirements
        or settings.affinity
        or settings.tolerations
    )


def _with(parent: Json, **fields: Any) -> Json:
    """Return `parent` with these fields; to be empty is as good as to be null or absent."""
    return parent | {field: value for field, value in fields.items() if value or parent.get(field)}
