"""Answers to pods that are alike, found again without reading the pods whole.

A migration creates hundreds of pods that differ in nothing but Forklift's system labels, and no
answer depends on the values of those. What it does depend on is a few hundred bytes of a review's
thousands: these are cut out as they stand, and are the key. Reading, deciding and writing take
130 µs; recognising a pod takes 8.
"""

from typing import Literal, NamedTuple

import msgspec
from msgspec import Raw

from webhook.admission.review import API_VERSION, KIND
from webhook.forklift.labels import CONVERTOR_LABEL, CONVERTOR_VALUE, SYSTEM_LABELS
from webhook.model import (
    Decision,
    NodeValues,
    Plan,
    Request,
)

LIMIT = 256
"""Answers kept; each has some kilobytes. Where there are more kinds of pods, all are dropped."""

Key = tuple[bytes | str | tuple[str, str], ...]


class Sketch(NamedTuple):
    """A convertor pod to be created, as far as it takes to recognise it."""

    request: Request
    """Its object has nothing but labels, and its name may be what a generated one begins with."""
    key: Key
    """The same for two pods of one plan only where their answers are the same but for the UID."""


class Answer(NamedTuple):
    """What a review was answered, and the decision that it was made from."""

    request: Request
    decision: Decision
    body: bytes


class Answers:
    """Remembers answers, with what of the world they were made from.

    That has to be the very same object again. So nothing must be forgotten when a plan or the
    nodes change, only when there are too many.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str, Key], _Kept] = {}

    def find(self, sketch: Sketch, plan: Plan, node_values: NodeValues) -> Answer | None:
        """Return the answer to a pod, where a pod like it of the same plan has had one."""
        kept = self._kept.get((plan.namespace, plan.name, sketch.key))
        if kept is None or kept.plan is not plan or kept.node_values is not node_values:
            return None
        uid = msgspec.json.encode(sketch.request.uid)
        return Answer(sketch.request, kept.decision, kept.before + uid + kept.after)

    def keep(self, sketch: Sketch, plan: Plan, node_values: NodeValues, answer: Answer) -> None:
        """Remember the answer to a pod of `plan`."""
        head, uid = b'"uid":', msgspec.json.encode(answer.request.uid)
        before, _, after = answer.body.partition(head + uid)  # before it, nothing is the review's
        if len(self._kept) >= LIMIT:
            self._kept.clear()
        key = (plan.namespace, plan.name, sketch.key)
        self._kept[key] = _Kept(plan, node_values, answer.decision, before + head, after)


def sketch(body: bytes) -> Sketch | None:
    """Recognise the review of a new convertor pod; None for whatever must be read whole."""
    try:
        whole = _decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    request = whole.request
    metadata, spec = request.object.metadata, request.object.spec
    labels = metadata.labels
    ours = labels.get(CONVERTOR_LABEL) == CONVERTOR_VALUE and request.uid
    if not ours or (whole.kind, whole.api_version) != (KIND, API_VERSION):
        return None
    name = request.name or metadata.name or metadata.generate_name
    seen = Request(
        uid=request.uid,
        operation=request.operation,
        kind="v1/Pod",
        namespace=request.namespace or "",
        name=name or "",
        dry_run=bool(request.dry_run),
        object={"metadata": {"labels": labels}},
    )
    return Sketch(
        seen,
        (
            seen.namespace,
            bytes(metadata.namespace),
            bytes(metadata.annotations),
            bytes(spec.node_selector),
            bytes(spec.affinity),
            bytes(spec.tolerations),
            *(label for label in labels.items() if label[0] not in SYSTEM_LABELS),
        ),
    )


class _Kept(NamedTuple):
    plan: Plan
    node_values: NodeValues
    decision: Decision
    before: bytes
    """Of the answer, what comes before its UID."""
    after: bytes


# What may be cut out of a review. Whatever has another shape, or is no new pod, does not fit.


class _Metadata(msgspec.Struct, rename="camel"):
    labels: dict[str, str]
    annotations: Raw = Raw()
    namespace: Raw = Raw()
    name: str | None = None
    generate_name: str | None = None


class _Spec(msgspec.Struct, rename="camel"):
    node_selector: Raw = Raw()
    affinity: Raw = Raw()
    tolerations: Raw = Raw()


class _Pod(msgspec.Struct):
    metadata: _Metadata
    spec: _Spec


class _Kind(msgspec.Struct):
    version: Literal["v1"]
    kind: Literal["Pod"]
    group: Literal[""] = ""


class _Request(msgspec.Struct, rename="camel"):
    uid: str
    kind: _Kind
    operation: Literal["CREATE"]
    object: _Pod
    namespace: str | None = None
    name: str | None = None
    sub_resource: Literal[""] | None = None
    dry_run: bool | None = None


class _Review(msgspec.Struct, rename="camel"):
    api_version: str
    kind: str
    request: _Request


_decoder = msgspec.json.Decoder(_Review)
