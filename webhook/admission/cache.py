"""Response cache for pods that differ only in Forklift's bookkeeping labels.

A migration creates hundreds of pods that are equal but for their system labels, and no response
depends on the values of those, but for the plan that they name. It depends on a few hundred bytes
of a review's thousands: these are its fingerprint.
"""

from typing import NamedTuple

import msgspec

from webhook.admission.raw_object import POD_IDENTITY, FieldError
from webhook.admission.review import POD, RawReview, ReviewResponse
from webhook.forklift.labels import CONVERTOR_LABEL, CONVERTOR_VALUE, SYSTEM_LABELS
from webhook.forklift.owner import find_plan_ref
from webhook.model import Decision, NodeValues, Plan, PlanRef, Reason, Request

MAX_RESPONSES = 256
"""Cached responses. When there are more, or more than MAX_TOTAL_BYTES, all are dropped."""
MAX_TOTAL_BYTES = 4 * 2**20
"""Of all fingerprints and responses; their decisions take some times as much."""
MAX_BYTES = 64 * 2**10
"""Of a fingerprint, and of a response; larger ones are not cached. Both have some kilobytes."""

Key = tuple[PlanRef | bytes | str | tuple[str, str] | None, ...]


class Fingerprint(NamedTuple):
    """The part of a new convertor pod's review that its response depends on."""

    request: Request
    """Without its object."""
    ref: PlanRef | None
    """The plan that the pod names."""
    size: int
    """Bytes of the key."""
    key: Key
    """Pods with equal keys get the same response for the same plan, but for its UID."""


class ResponseCache:
    """Responses with the plan and the node values that they were made from.

    A response is used again only if both are the very same objects, so nothing has to be
    invalidated when a plan or a node changes.
    """

    def __init__(self) -> None:
        self._entries: dict[Key, _Entry] = {}
        self._size = 0

    def get(
        self, fingerprint: Fingerprint | None, plan: Plan | Reason, node_values: NodeValues
    ) -> ReviewResponse | None:
        """Return the response of an equal pod of the same plan, with the UID of this review."""
        if fingerprint is None or not isinstance(plan, Plan):
            return None
        entry = self._entries.get(fingerprint.key)
        if entry is None or entry.plan is not plan or entry.node_values is not node_values:
            return None
        uid = msgspec.json.encode(fingerprint.request.uid)
        body = entry.before_uid + uid + entry.after_uid
        return ReviewResponse(fingerprint.request, entry.decision, body)

    def put(
        self,
        fingerprint: Fingerprint | None,
        plan: Plan | Reason,
        node_values: NodeValues,
        response: ReviewResponse,
    ) -> None:
        """Keep the response to a pod, if it has a fingerprint and a plan and is not large."""
        if fingerprint is None or not isinstance(plan, Plan) or len(response.body) > MAX_BYTES:
            return
        field, uid = b'"uid":', msgspec.json.encode(response.request.uid)
        before, _, after = response.body.partition(field + uid)  # only constants precede it
        size = fingerprint.size + len(response.body)
        if len(self._entries) >= MAX_RESPONSES or self._size + size > MAX_TOTAL_BYTES:
            self._entries.clear()
            self._size = 0
        self._size += size
        self._entries[fingerprint.key] = _Entry(
            plan, node_values, response.decision, before + field, after
        )


def fingerprint_of(review: RawReview) -> Fingerprint | None:
    """Take the fingerprint of a new convertor pod's review; None for every other review."""
    request, metadata, spec = review.request, review.object.metadata, review.object.spec
    is_new_pod = request.kind == POD and request.operation == "CREATE" and not request.subresource
    if not is_new_pod or metadata is None or spec is None:
        return None
    raw = (
        metadata.annotations,
        spec.node_selector,
        spec.affinity,
        spec.tolerations,
        spec.topology_spread_constraints,
        spec.node_name,
    )
    size = len(metadata.labels) + sum(map(len, raw))
    if size > MAX_BYTES:
        return None
    try:
        identity = metadata.decode(POD_IDENTITY)
    except FieldError:
        return None
    labels: dict[str, str] = identity.get("labels") or {}
    if labels.get(CONVERTOR_LABEL) != CONVERTOR_VALUE:
        return None
    ref = find_plan_ref(identity, request.namespace)
    return Fingerprint(
        request,
        ref,
        size,
        (
            ref,
            request.namespace,
            *map(bytes, raw),
            *(label for label in labels.items() if label[0] not in SYSTEM_LABELS),
        ),
    )


class _Entry(NamedTuple):
    plan: Plan
    node_values: NodeValues
    decision: Decision
    before_uid: bytes
    after_uid: bytes
