"""Decisions on pods that are alike, made once.

A migration creates hundreds of pods that differ in nothing but the labels by which Forklift
tells them apart, and those never change. Making the decision again takes 40 µs; finding that
it has been made, 6.
"""

from typing import Any

import msgspec

from webhook.decide import decide
from webhook.model import (
    SYSTEM_LABELS,
    Decision,
    Installation,
    Json,
    NodeValues,
    Plan,
    PlanRef,
    Reason,
    Request,
)

LIMIT = 256
"""Decisions kept; each has some kilobytes. Where there are more kinds of pods, all are dropped."""

_encode = msgspec.msgpack.Encoder().encode


class Decisions:
    """`webhook.decide.decide`, remembering what it decided."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._made: dict[bytes, Decision] = {}

    def __call__(
        self,
        request: Request,
        ref: PlanRef | None,
        plan: Plan | Reason,
        node_values: NodeValues,
    ) -> Decision:
        """Decide on a convertor pod, as `decide` does."""
        if isinstance(plan, Reason):
            return decide(request, ref, plan, self._installation, node_values)
        key = _encode((plan, node_values, request.namespace, _read(request.object)))
        made = self._made.get(key)
        if made is None:
            made = decide(request, ref, plan, self._installation, node_values)
            if len(self._made) >= LIMIT:
                self._made.clear()
            self._made[key] = made
        return made


def _read(pod: Json) -> list[Any]:
    """Return all of a pod that a decision is made from.

    Of a label that never changes that is not its value, as long as it is a text.
    """
    metadata, spec = pod["metadata"], pod.get("spec")
    labels = [
        (key, "" if key in SYSTEM_LABELS and isinstance(value, str) else value)
        for key, value in metadata["labels"].items()
    ]
    if not isinstance(spec, dict):
        return [labels, metadata.get("namespace"), metadata.get("annotations"), spec]
    placed = [spec.get(field) for field in ("nodeSelector", "affinity", "tolerations")]
    return [labels, metadata.get("namespace"), metadata.get("annotations"), placed]
