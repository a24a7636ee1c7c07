"""Events on Plans: which decisions are told there, and in what words.

`kubectl describe plan` shows them to whoever runs the migration. `telemetry.event_recorder` writes
them.
"""

import hashlib
from typing import NamedTuple

import msgspec

from webhook.admission.patch_summary import summary
from webhook.admission.validate import PLAN
from webhook.forklift.plan import API_VERSION, KIND
from webhook.kube.objects import Json
from webhook.model import (
    Decision,
    Outcome,
    PlanRef,
    Reason,
    Request,
)

COMPONENT = "convertor-webhook"

MESSAGE_BYTES = 1024
"""More is refused of an Event by newer versions of its API."""
_NAME = 200
"""Characters of a Plan's name in the name of its Events, which end with a digest."""

_NORMAL = frozenset({Reason.PLACED, Reason.WOULD_PLACE})
_WARNING = frozenset({Reason.SETTINGS_INVALID, Reason.NOT_TARGET_NAMESPACE, Reason.MALFORMED_POD})
"""Of all reasons those that say something of a Plan that is known to be there: whoever may
create pods could name any Plan in any namespace."""


class Pod(msgspec.Struct, frozen=True):
    """The pod that an Event is about."""

    namespace: str
    name: str
    uid: str = ""


class Note(msgspec.Struct, frozen=True):
    """What is to be told on a Plan; equal ones are one Event that is counted."""

    plan: PlanRef
    generation: int
    reason: Reason
    message: str
    is_warning: bool
    pod: Pod | None = None
    """None for a review: its pod may have no name yet, and may never be stored."""


class Times(NamedTuple):
    """How often something is told, and from when to when (RFC 3339)."""

    number: int
    first: str
    last: str


def of_review(request: Request | None, decision: Decision) -> Note | None:
    """Return what to tell of a decision; nothing of a dry run, which must leave no trace."""
    if request is None or request.dry_run or request.kind == PLAN or decision.plan is None:
        return None
    reason, message = decision.reason, decision.message
    if reason in _NORMAL:
        message = f"{message}: {summary(decision.patch)}"
    elif reason not in _WARNING:
        return None
    elif decision.patch:
        applied = "would be" if decision.outcome is Outcome.WOULD_PATCH else "is"
        message = f"{message}; the rest {applied} applied: {summary(decision.patch)}"
    return Note(decision.plan, decision.generation, reason, message, reason in _WARNING)


def name_of(note: Note, instance: str) -> str:
    """Return the name of a note's Event: of an instance its own, but about a pod the same of all.

    So two replicas tell of a pod once, and one that starts again does not repeat it.
    """
    told = msgspec.json.encode([note, "" if note.pod else instance])
    digest = hashlib.sha256(told).hexdigest()[:16]
    return f"{note.plan.name[:_NAME].rstrip('-.')}.{digest}"


def body(note: Note, name: str, instance: str, times: Times) -> Json:
    """Return the Event, of core/v1."""
    plan, pod = note.plan, note.pod
    about: Json = {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "namespace": plan.namespace,
        "name": plan.name,
        "uid": plan.uid,
    }
    event: Json = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": plan.namespace},
        "involvedObject": about,
        "type": "Warning" if note.is_warning else "Normal",
        "reason": note.reason.value,
        "message": _cut(note.message),
        "count": times.number,
        "firstTimestamp": times.first,
        "lastTimestamp": times.last,
        "source": {"component": COMPONENT, "host": instance},
        "reportingComponent": COMPONENT,
        "reportingInstance": instance,
    }
    if pod is not None:
        event["related"] = {"apiVersion": "v1", "kind": "Pod", **msgspec.to_builtins(pod)}
    return event


def _cut(message: str) -> str:
    encoded = message.encode()
    if len(encoded) <= MESSAGE_BYTES:
        return message
    end = " ..."
    return encoded[: MESSAGE_BYTES - len(end)].decode(errors="ignore") + end
