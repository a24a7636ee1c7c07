"""Events on Plans: the decisions that are recorded as one, and its core/v1 object.

`kubectl describe plan` prints them for the migration engineer. `telemetry.event_recorder` writes
them to the API server.
"""

import hashlib
from typing import NamedTuple

import msgspec

from webhook.admission.patch_summary import summarize
from webhook.admission.review import PLAN
from webhook.forklift.plan import API_VERSION, KIND
from webhook.kube.messages import escape_within, truncate_bytes
from webhook.kube.objects import Json
from webhook.model import Decision, Outcome, PlanRef, Reason, Request, Role

COMPONENT = "convertor-webhook"

MAX_MESSAGE_BYTES = 1024
"""The limit of events.k8s.io/v1."""
_MAX_NAME_PREFIX_LENGTH = 200
"""Characters of the Plan's name in the Event's name, which ends with a digest."""

_NORMAL = frozenset({Reason.PLACED, Reason.WOULD_PLACE})
_WAITING = {
    Outcome.REFUSED: (
        "an importer waits until another disk of its VM is bound, because the plan keeps disks "
        "together; CDI creates it again after some seconds"
    ),
    Outcome.WOULD_REFUSE: (
        "mode audit, nothing is changed: an importer would wait until another disk of its VM is "
        "bound, because the plan keeps disks together"
    ),
}
"""The message of refusals, the same for all disks of a plan: each is refused several times, and
equal Events are one series."""
_WARNING = frozenset({Reason.SETTINGS_INVALID, Reason.NOT_TARGET_NAMESPACE, Reason.MALFORMED_POD})
"""Only reasons that imply that the Plan exists: any client that may create pods could name a Plan
of any namespace, and would cause Events there."""


class RelatedPod(msgspec.Struct, frozen=True):
    """The pod that an Event on its Plan is about."""

    namespace: str
    name: str
    uid: str = ""


class PlanEvent(msgspec.Struct, frozen=True):
    """An Event with a Plan as its involvedObject; equal ones are aggregated into one series."""

    plan: PlanRef
    generation: int
    reason: Reason
    message: str
    is_warning: bool
    pod: RelatedPod | None = None
    """None for a review: its pod may have no name yet, and may never be stored."""


class Occurrences(NamedTuple):
    """The count of a series, and its first and last timestamp (RFC 3339)."""

    number: int
    first: str
    last: str


def derive_event(request: Request | None, decision: Decision) -> PlanEvent | None:
    """Return the Event for a decision; None for a dry run, which must have no side effects."""
    if request is None or request.dry_run or request.kind == PLAN or decision.plan is None:
        return None
    reason, message = decision.reason, _add_role(decision.message, decision.role)
    if reason in _NORMAL:
        message = f"{message}: {summarize(decision.patch)}"
    elif reason is Reason.WAITING_FOR_DISK:
        message = _WAITING.get(decision.outcome, message)
    elif reason not in _WARNING:
        return None
    elif decision.patch:
        applied = "would be" if decision.outcome is Outcome.WOULD_PATCH else "is"
        message = f"{message}; the rest {applied} applied: {summarize(decision.patch)}"
    return PlanEvent(
        decision.plan,
        decision.generation,
        reason,
        escape_within(message, MAX_MESSAGE_BYTES),
        reason in _WARNING,
    )


def _add_role(message: str, role: Role | None) -> str:
    return message if role in (None, Role.CONVERTOR) else f"{role} pod: {message}"


def derive_name(event: PlanEvent, instance: str) -> str:
    """Return the name of the Event object: one for each instance if it is about a review.

    Two replicas record a missed pod or a conflict once, and a replica that restarts does not
    repeat it.
    """
    is_shared = event.pod is not None or event.reason is Reason.PLACEMENT_CONFLICT
    identity = msgspec.json.encode([event, "" if is_shared else instance])
    digest = hashlib.sha256(identity).hexdigest()[:16]
    return f"{event.plan.name[:_MAX_NAME_PREFIX_LENGTH].rstrip('-.')}.{digest}"


def build_object(event: PlanEvent, name: str, instance: str, occurrences: Occurrences) -> Json:
    """Return the core/v1 Event."""
    involved: Json = {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "namespace": event.plan.namespace,
        "name": event.plan.name,
        "uid": event.plan.uid,
    }
    event_object: Json = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": event.plan.namespace},
        "involvedObject": involved,
        "type": "Warning" if event.is_warning else "Normal",
        "reason": event.reason.value,
        "message": truncate_bytes(event.message, MAX_MESSAGE_BYTES),
        "count": occurrences.number,
        "firstTimestamp": occurrences.first,
        "lastTimestamp": occurrences.last,
        "source": {"component": COMPONENT, "host": instance},
        "reportingComponent": COMPONENT,
        "reportingInstance": instance,
    }
    if event.pod is not None:
        pod = msgspec.to_builtins(event.pod)
        event_object["related"] = {"apiVersion": "v1", "kind": "Pod", **pod}
    return event_object
