"""The reference from a pod to its plan, by labels or owner reference."""

from typing import Any

from webhook.forklift.plan import GROUP, KIND
from webhook.kube.objects import nested_map, nested_string
from webhook.model import PlanRef, Request


def read_plan_ref(request: Request) -> PlanRef | None:
    """Return the reference of a pod to its plan, or None if it has none.

    Labels come first: every Forklift release sets the plan's UID, 2.12 also its name and namespace,
    and `forklift.app/plan` has the name only. Without these labels the owner references are read;
    an owner is in the namespace of its pod.
    """
    metadata = nested_map(request.object, "metadata")
    labels = nested_map(metadata, "labels")
    ref = PlanRef(
        uid=nested_string(labels, "plan"),
        namespace=nested_string(labels, "plan-namespace"),
        name=nested_string(labels, "plan-name") or nested_string(labels, "forklift.app/plan"),
    )
    if ref.uid or ref.name:
        return ref
    return _owner(metadata.get("ownerReferences"), request.namespace)


def _owner(references: Any, namespace: str) -> PlanRef | None:
    for reference in references if isinstance(references, list) else ():
        group, _, _ = nested_string(reference, "apiVersion").partition("/")
        uid, name = nested_string(reference, "uid"), nested_string(reference, "name")
        if group == GROUP and nested_string(reference, "kind") == KIND and (uid or name):
            return PlanRef(uid=uid, namespace=namespace, name=name)
    return None
