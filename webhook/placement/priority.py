"""The priority class of a placed pod."""

from collections.abc import Collection
from typing import NamedTuple

from webhook.kube.messages import quote
from webhook.kube.objects import Json
from webhook.model import Plan


def names_class(plan: Plan) -> bool:
    """Return whether some pod of a plan gets a PriorityClass."""
    of_roles = any(each.priority_class for each in plan.settings.roles.values())
    return bool(plan.settings.priority_class) or of_roles


class PlacedPriority(NamedTuple):
    """The fields of a spec with the class of a plan."""

    fields: Json
    notes: list[str]
    error: str
    """The reason why the class is not applied; empty if it is."""


def place_priority(spec: Json, name: str, known: Collection[str] | None) -> PlacedPriority:
    """Return the fields that give a pod a PriorityClass, which must be one of the known ones.

    The API server has filled in priority and preemption policy of the default class before the
    webhook is called. It computes them again afterwards, and rejects a pod whose values are not
    those of its class, so they are removed. It also rejects a pod whose class does not exist.
    """
    present = spec.get("priorityClassName") or ""
    if present == name:
        return PlacedPriority({}, [], "")
    if known is None or name not in known:
        why = "is not known to exist" if known is None else "does not exist"
        return PlacedPriority(
            {},
            [],
            f"priority class {quote(name)} is not applied, because it {why} in the cluster of the "
            "pods, and the API server would reject them: see kubectl get priorityclasses",
        )
    notes = [f"priority class {present} of the pod replaced by {name} of the plan"]
    fields = {"priorityClassName": name, "priority": None, "preemptionPolicy": None}
    return PlacedPriority(fields, notes if present else [], "")
