"""Reviews of new pods, read no further than a placement looks.

A pod is some kilobytes, of which its placement is made from a few hundred bytes: building the
rest, to drop it a moment later, is a quarter of what a review costs.
"""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from webhook import review
from webhook.model import Json, Request

# The names are the API's own, so that what is read is what goes into the pod's dictionary.
# ruff: noqa: N815


class _Metadata(msgspec.Struct):
    labels: Any
    annotations: Any = UNSET
    generateName: Any = UNSET
    name: Any = UNSET
    namespace: Any = UNSET
    ownerReferences: Any = UNSET


class _Spec(msgspec.Struct):
    nodeSelector: Any = UNSET
    affinity: Any = UNSET
    tolerations: Any = UNSET


class _Pod(msgspec.Struct):
    metadata: _Metadata
    spec: _Spec | UnsetType = UNSET


class _Kind(msgspec.Struct):
    version: Literal["v1"]
    kind: Literal["Pod"]
    group: Literal[""] = ""


class _Request(msgspec.Struct):
    uid: str
    kind: _Kind
    operation: Literal["CREATE"]
    object: _Pod
    namespace: str | None = None
    name: str | None = None
    subResource: str | None = None
    dryRun: bool | None = None


class _Review(msgspec.Struct):
    apiVersion: Literal["admission.k8s.io/v1"]
    kind: Literal["AdmissionReview"]
    request: _Request


_decoder = msgspec.json.Decoder(_Review)


def decode(body: bytes) -> Request:
    """Read a review as `webhook.review.decode` does, of a new pod only what placing it reads.

    Raises BadReview.
    """
    try:
        request = _decoder.decode(body).request
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return review.decode(body)
    if not request.uid:
        return review.decode(body)
    pod = {"metadata": _present(request.object.metadata)}
    if request.object.spec is not UNSET:
        pod["spec"] = _present(request.object.spec)
    return Request(
        uid=request.uid,
        operation="CREATE",
        kind="v1/Pod",
        namespace=request.namespace or "",
        name=request.name or "",
        subresource=request.subResource or "",
        dry_run=bool(request.dryRun),
        object=pod,
    )


def _present(part: msgspec.Struct) -> Json:
    fields = msgspec.structs.asdict(part)
    return {field: value for field, value in fields.items() if value is not UNSET}
