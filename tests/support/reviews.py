"""The review of a pod, from the bytes of the request to the patched pod."""

import base64
import json
from collections.abc import Collection, Coroutine, Mapping
from typing import Any, NamedTuple

import jsonpatch

from tests.support.builders import encode_review
from webhook.admission.mutate import decide, identify
from webhook.admission.review import ReviewResponse, decode, encode
from webhook.inventory import NO_PVCS
from webhook.inventory.index import PlanIndex
from webhook.kube.objects import Json
from webhook.model import ClusterState, Decision, Installation, Reason


class ReviewedPod(NamedTuple):
    pod: Json
    """The pod with the patch of the response."""
    warnings: list[str]
    decision: Decision


def review_pod(
    pod: Json,
    plan_object: Json,
    node_values: Mapping[str, Collection[str]],
    *,
    namespace: str = "target",
) -> ReviewedPod:
    """Review a pod with this Plan alone in the index, and apply the patch."""
    installation = Installation()
    index = PlanIndex(installation)
    index.put(plan_object)
    request = decode(encode_review(pod, namespace=namespace))
    migration_pod = identify(request, installation, NO_PVCS.find_disk)
    if isinstance(migration_pod, Decision):
        decision = migration_pod
    else:
        ref = migration_pod.ref
        found = index.find(ref) if ref else Reason.NO_PLAN_REFERENCE
        decision = decide(request, migration_pod, found, installation, ClusterState(node_values))
    response = json.loads(encode(request.uid, decision))["response"]
    return ReviewedPod(apply_patch(pod, response), response.get("warnings", []), decision)


def apply_patch(pod: Json, response: Json) -> Json:
    """Return a pod as the API server stores it after the response to its review."""
    patch = json.loads(base64.b64decode(response.get("patch", "")) or "[]")
    patched: Json = jsonpatch.apply_patch(pod, patch)
    return patched


def run_at_once(handler: Coroutine[Any, Any, ReviewResponse]) -> ReviewResponse:
    """Run a handler that never waits: an event loop for each would take most of the time."""
    try:
        handler.send(None)
    except StopIteration as end:
        response: ReviewResponse = end.value
        return response
    raise AssertionError("the handler waits")
