"""Whether a convertor pod that exists came through without its placement, or has lost it.

A webhook that fails open is silent: nobody calls it. But the pods are there, and so is what their
plans ask. What was asked when a pod was created is known only in part: a plan may have got its
settings since, and the installation its mode. So only a pod that is younger than all of that,
by the times of the API server, is ever said to be missed: better one too few than a false one.
"""

from typing import NamedTuple

import msgspec

from webhook.forklift.owner import plan_ref
from webhook.kube.objects import Json
from webhook.model import (
    Installation,
    Mode,
    Plan,
    PlanRef,
    Reason,
    Request,
)
from webhook.placement import asks
from webhook.placement.labels import place_labels
from webhook.settings.mode import Effective, Origin, effective


class Pod(msgspec.Struct, frozen=True):
    """Of a convertor pod its metadata, as far as it tells of a placement."""

    namespace: str
    name: str
    uid: str
    created: str
    """RFC 3339 in UTC, to the second, as the API server has it."""
    labels: dict[str, str]
    placement: str
    """The annotation that a placed pod has; empty where it has none."""
    ref: PlanRef | None
    """What it says of its plan."""

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


def read(metadata: Json, prefix: str) -> Pod:
    """Read a pod's metadata as the API server has it."""
    namespace = metadata.get("namespace") or ""
    annotations = metadata.get("annotations") or {}
    request = Request("", namespace=namespace, object={"metadata": metadata})
    return Pod(
        namespace=namespace,
        name=metadata.get("name") or "",
        uid=metadata.get("uid") or "",
        created=metadata.get("creationTimestamp") or "",
        labels=metadata.get("labels") or {},
        placement=annotations.get(f"{prefix}/placement") or "",
        ref=plan_ref(request),
    )


class Since:
    """From when on the webhook is known to have enforced.

    It is known from `start`, the time at which the installation became what it is. Before that
    it may have had another mode, and a pod that was placed in an earlier time of enforcing says
    nothing of what has been in between. A server knows of no earlier start than its own, so it
    lets pods that were placed shortly before, since `reach`, prove that it has only been away:
    each from its creation on, for whatever its mode came from, be it the installation, its
    namespace, or a plan.
    """

    def __init__(self, start: str = "", reach: str = "") -> None:
        self.start = start
        """The empty text is always; what is later than any time is never."""
        self._reach = reach or start
        self._earliest: dict[str, str] = {}

    def learn(self, pod: Pod, mode: Effective) -> None:
        """Take a placed pod as a proof."""
        if pod.created <= self._reach:
            return
        for scope in (Origin.PLAN.value, _scope(pod, mode)):
            self._earliest[scope] = min(self._earliest.get(scope, pod.created), pod.created)

    def covers(self, pod: Pod, mode: Effective) -> bool:
        """Whether a pod of this mode would have been placed, in all that is known."""
        proven = self._earliest.get(_scope(pod, mode))
        return pod.created > self.start or (proven is not None and pod.created >= proven)


class Verdict(NamedTuple):
    """What is wrong with a pod."""

    reason: Reason
    message: str
    plan: Plan


def judge(pod: Pod, plan: Plan, installation: Installation, since: Since) -> Verdict | None:
    """Return what is wrong with a pod of `plan`; None where nothing is.

    A placed pod counts as a proof in `since`, so judge the placed ones first.
    """
    mode = effective(plan, pod.namespace, installation)
    if mode.mode is not Mode.ENFORCE or pod.namespace != plan.target_namespace:
        return None
    if pod.placement:
        since.learn(pod, mode)
        known = max(plan.written, since.start)
        return _changed_back(pod, plan, installation) if pod.created > known else None
    if not asks(plan.settings) or pod.created <= plan.written or not since.covers(pod, mode):
        return None
    return Verdict(
        Reason.MISSED,
        f"pod '{pod}' came through without what plan '{plan}' asks: it had no review, or one that "
        "failed",
        plan,
    )


def _changed_back(pod: Pod, plan: Plan, installation: Installation) -> Verdict | None:
    """Judge a placed pod by the labels that it lacks.

    One that has another value is no proof of a change: Forklift may have created the pod with it.
    """
    wanted, _ = place_labels(pod.labels, plan, installation)
    lost = [f"{key}={value}" for key, value in wanted.items() if key not in pod.labels]
    if not lost:
        return None
    return Verdict(
        Reason.CHANGED_BACK,
        f"pod '{pod}' was placed as plan '{plan}' asks, and somebody has changed it since: "
        f"expected labels {','.join(lost)}",
        plan,
    )


def _scope(pod: Pod, mode: Effective) -> str:
    """Return what proves that pods of this mode are placed; a plan's word needs any proof."""
    if mode.origin is Origin.NAMESPACE:
        return f"{mode.origin}/{pod.namespace}"
    return mode.origin.value
