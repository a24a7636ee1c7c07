"""The reference from a pod to its plan, by labels or owner reference."""

from typing import Any

from webhook.forklift.plan import GROUP, KIND
from webhook.kube.labels import MAX_SUBDOMAIN_LENGTH
from webhook.kube.objects import Json, nested_map
from webhook.model import PlanRef


def find_plan_ref(metadata: Json, namespace: str) -> PlanRef | None:
    """Return the reference in the metadata of a pod in `namespace`, or None if it has none.

    Labels come first: every Forklift release sets the plan's UID, 2.12 also its name and namespace,
    and `forklift.app/plan` has the name only. Without these labels the owner references are read;
    an owner is in the namespace of its pod.
    """
    labels = nested_map(metadata, "labels")
    ref = PlanRef(
        uid=read_name(labels.get("plan")),
        namespace=read_name(labels.get("plan-namespace")),
        name=read_name(labels.get("plan-name")) or read_name(labels.get("forklift.app/plan")),
    )
    if ref.uid or ref.name:
        return ref
    return _owner(metadata.get("ownerReferences"), namespace)


def _owner(references: Any, namespace: str) -> PlanRef | None:
    for reference in references if isinstance(references, list) else ():
        owner = nested_map(reference)
        group, _, _ = read_name(owner.get("apiVersion")).partition("/")
        uid, name = read_name(owner.get("uid")), read_name(owner.get("name"))
        if group == GROUP and owner.get("kind") == KIND and (uid or name):
            return PlanRef(uid=uid, namespace=namespace, name=name)
    return None


def read_name(value: object) -> str:
    """Return a name; empty if it is not text, or longer than any name, so that no Plan has it."""
    return value if isinstance(value, str) and len(value) <= MAX_SUBDOMAIN_LENGTH else ""
