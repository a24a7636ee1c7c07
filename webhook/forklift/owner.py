"""What a pod says of the plan that it belongs to."""

from typing import Any

from webhook.forklift.plan import GROUP, KIND
from webhook.kube.objects import nested_map, nested_string
from webhook.model import PlanRef, Request


def plan_ref(request: Request) -> PlanRef | None:
    """Return every part that is known, or None where the pod names no plan.

    Forklift's labels count first: the plan's UID on every release, its name and namespace from
    2.12 on. `forklift.app/plan` has a name alone. An owner reference counts only where no label
    says anything; an owner is in its pod's namespace.
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
