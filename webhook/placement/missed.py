"""Detection of existing convertor pods that were not placed, or whose placement was changed.

A webhook that fails open is silent when the API server cannot call it, but its pods exist, and so
do the settings of their plans. The settings at the time of a pod's creation are known only in
part: the plan may have been changed since, and so may the mode of the installation. A pod is
reported as missed only if it is younger than all of these, by the API server's timestamps: a pod
that is not reported is better than one that is reported falsely.
"""

from typing import NamedTuple

import msgspec

from webhook.forklift.owner import find_plan_ref
from webhook.kube.objects import Json
from webhook.model import Installation, Mode, Plan, PlanRef, Reason
from webhook.placement import has_settings
from webhook.placement.labels import place_labels
from webhook.settings.mode import EffectiveMode, Origin, resolve_mode
from webhook.settings.own_pods import identity_labels


class PodMetadata(msgspec.Struct, frozen=True):
    """The metadata of a convertor pod that show whether it was placed."""

    namespace: str
    name: str
    uid: str
    created: str
    """RFC 3339 in UTC, to the second, as the API server writes it."""
    labels: dict[str, str]
    placement: str
    """The annotation of a placed pod; empty if it has none."""
    ref: PlanRef | None
    """The plan that the pod names."""

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


def read_metadata(metadata: Json, prefix: str) -> PodMetadata:
    """Read a pod's metadata as the API server returns them."""
    namespace = metadata.get("namespace") or ""
    annotations = metadata.get("annotations") or {}
    return PodMetadata(
        namespace=namespace,
        name=metadata.get("name") or "",
        uid=metadata.get("uid") or "",
        created=metadata.get("creationTimestamp") or "",
        labels=metadata.get("labels") or {},
        placement=annotations.get(f"{prefix}/placement") or "",
        ref=find_plan_ref(metadata, namespace),
    )


class EnforcementWindow:
    """The time in which the webhook is known to have been in mode enforce.

    It begins at `start`, when the installation got its present configuration; before that it may
    have had another mode. A server knows no earlier start than its own, so placed pods that were
    created after `reach`, shortly before its start, extend the window: each from its creation on,
    for pods whose mode has the same origin (the installation, the namespace or the plan).
    """

    def __init__(self, start: str = "", reach: str = "") -> None:
        self.start = start
        """Empty means always, a time in the far future means never."""
        self._reach = reach or start
        self._earliest: dict[str, str] = {}

    def record(self, pod: PodMetadata, mode: EffectiveMode) -> None:
        """Extend the window by a placed pod."""
        if pod.created <= self._reach:
            return
        for scope in (Origin.PLAN.value, _scope_of(pod, mode)):
            self._earliest[scope] = min(self._earliest.get(scope, pod.created), pod.created)

    def includes(self, pod: PodMetadata, mode: EffectiveMode) -> bool:
        """Return whether the webhook is known to have enforced this mode when a pod was created."""
        earliest = self._earliest.get(_scope_of(pod, mode))
        return pod.created > self.start or (earliest is not None and pod.created >= earliest)


class Finding(NamedTuple):
    """A pod that was missed or changed back."""

    reason: Reason
    message: str
    plan: Plan


def check_placement(
    pod: PodMetadata, plan: Plan, installation: Installation, window: EnforcementWindow
) -> Finding | None:
    """Return the finding for a pod of `plan`; None if its placement is right or cannot be checked.

    Placed pods extend `window`, so they must be checked first.
    """
    mode = resolve_mode(plan, pod.namespace, installation)
    if mode.mode is not Mode.ENFORCE or pod.namespace != plan.target_namespace:
        return None
    if pod.placement:
        window.record(pod, mode)
        known = max(plan.settings_modified, window.start)
        return _find_removed_labels(pod, plan, installation) if pod.created > known else None
    if not has_settings(plan.settings) or pod.created <= plan.settings_modified:
        return None
    if not window.includes(pod, mode):
        return None
    return Finding(
        Reason.MISSED,
        f"pod '{pod}' was created without the placement of plan '{plan}': the webhook was not "
        "called, or its review failed",
        plan,
    )


def _find_removed_labels(
    pod: PodMetadata, plan: Plan, installation: Installation
) -> Finding | None:
    """Check a placed pod for missing labels.

    A label with another value is not a change: Forklift may have created the pod with it.
    """
    added = identity_labels(plan) if installation.identity_labels else {}
    wanted, _ = place_labels(pod.labels, plan.settings, added, installation.prefix)
    removed = [f"{key}={value}" for key, value in wanted.items() if key not in pod.labels]
    if not removed:
        return None
    return Finding(
        Reason.CHANGED_BACK,
        f"pod '{pod}' was placed by plan '{plan}', and another client has removed labels since: "
        f"expected {','.join(removed)}",
        plan,
    )


def _scope_of(pod: PodMetadata, mode: EffectiveMode) -> str:
    """Return the key of the pods whose mode has the same origin; plans share one."""
    if mode.origin is Origin.NAMESPACE:
        return f"{mode.origin}/{pod.namespace}"
    return mode.origin.value
