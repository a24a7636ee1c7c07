"""What a pod says of the plan that it belongs to."""

from typing import Any

from webhook.kube.objects import Json
from webhook.model import PlanRef, Request

_GROUP = "forklift.konveyor.io"


def plan_ref(request: Request) -> PlanRef | None:
    """Return every part that is known, or None where the pod names no plan.

    Forklift's labels count first: the plan's UID on every release, its name and namespace from
    2.12 on. `forklift.app/plan` has a name alone. An owner reference counts only where no label
    says anything; an owner is in its pod's namespace.
    """
    metadata = _object(request.object.get("metadata"))
    labels = _object(metadata.get("labels"))
    ref = PlanRef(
        uid=_text(labels.get("plan")),
        namespace=_text(labels.get("plan-namespace")),
        name=_text(labels.get("plan-name")) or _text(labels.get("forklift.app/plan")),
    )
    if ref.uid or ref.name:
        return ref
    return _owner(metadata.get("ownerReferences"), request.namespace)


def _owner(references: Any, namespace: str) -> PlanRef | None:
    for reference in map(_object, references if isinstance(references, list) else ()):
        group, _, _ = _text(reference.get("apiVersion")).partition("/")
        uid, name = _text(reference.get("uid")), _text(reference.get("name"))
        if group == _GROUP and reference.get("kind") == "Plan" and (uid or name):
            return PlanRef(uid=uid, namespace=namespace, name=name)
    return None


def _object(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
