"""Detection of existing migration pods that were not placed, or whose placement was changed.

A webhook that fails open is silent when the API server cannot call it, but its pods exist, and so
do the settings of their plans. The settings at the time of a pod's creation are known only in
part: the plan may have been changed since, and so may the mode of the installation. A pod is
reported as missed only if it is younger than all of these, by the API server's timestamps: a pod
that is not reported is better than one that is reported falsely.

Metadata do not show all that a review saw: if the PVC of an importer was bound at its creation, and
if a pod was created with a node. Where that is not known, a pod was missed only if it would have
been placed in either case.
"""

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from webhook.forklift.labels import role_label
from webhook.forklift.owner import find_plan_ref
from webhook.forklift.pvc import find_populated_uid
from webhook.forklift.roles import PodKind, namespace_for, recognize
from webhook.kube.objects import Json
from webhook.model import Disk, Installation, MigrationPod, Mode, Plan, PlanRef, Reason, Role
from webhook.placement import has_settings, own_labels
from webhook.placement.labels import place_labels
from webhook.placement.role_settings import applies, settings_for
from webhook.settings.mode import EffectiveMode, Origin, resolve_mode


class PodMetadata(msgspec.Struct, frozen=True):
    """The metadata of a migration pod that show whether it was placed."""

    namespace: str
    name: str
    uid: str
    created: str
    """RFC 3339 in UTC, to the second, as the API server writes it."""
    labels: dict[str, str]
    placement: str
    """The annotation of a placed pod; empty if it has none."""
    ref: PlanRef | None
    """The plan that the pod names; if None, its PVC may name one."""
    kind: PodKind = PodKind(Role.CONVERTOR)

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


def read_metadata(metadata: Json, prefix: str) -> PodMetadata | None:
    """Read a pod's metadata as the API server returns them; None if it is not a migration pod."""
    namespace = metadata.get("namespace") or ""
    annotations = metadata.get("annotations") or {}
    kind = recognize(metadata, namespace)
    if kind is None:
        return None
    return PodMetadata(
        namespace=namespace,
        name=metadata.get("name") or "",
        uid=metadata.get("uid") or "",
        created=metadata.get("creationTimestamp") or "",
        labels=metadata.get("labels") or {},
        placement=annotations.get(f"{prefix}/placement") or "",
        ref=find_plan_ref(metadata, namespace),
        kind=kind,
    )


class Observed(NamedTuple):
    """The state of a pod besides its own metadata."""

    disk: Disk | None = None
    """The disk that it writes, as it is now."""
    was_unbound: bool = False
    """True if the disk waits for its first consumer, and is known to have been unbound when the pod
    was created."""


NOTHING_OBSERVED = Observed()


class EnforcementWindow:
    """The time in which the webhook is known to have been in mode enforce.

    It begins at `start`, when the installation got its present configuration; before that it may
    have had another mode. A server knows no earlier start than its own, so placed pods that were
    created after `reach`, shortly before its start, extend the window: each from its creation on,
    for pods of its kind whose mode has the same origin (the installation, the namespace or the
    plan).
    """

    def __init__(self, start: str = "", reach: str = "") -> None:
        self.start = start
        """Empty means always, a time in the far future means never."""
        self._reach = reach or start
        self._earliest: dict[tuple[Role, str], str] = {}

    def record(self, pod: PodMetadata, mode: EffectiveMode) -> None:
        """Extend the window by a placed pod."""
        if pod.created <= self._reach:
            return
        for origin in (Origin.PLAN.value, _origin_of(pod, mode)):
            scope = pod.kind.role, origin
            self._earliest[scope] = min(self._earliest.get(scope, pod.created), pod.created)

    def includes(self, pod: PodMetadata, mode: EffectiveMode) -> bool:
        """Return whether the webhook is known to have enforced this mode when a pod was created."""
        earliest = self._earliest.get((pod.kind.role, _origin_of(pod, mode)))
        return pod.created > self.start or (earliest is not None and pod.created >= earliest)


class Finding(NamedTuple):
    """A pod that was missed or changed back."""

    reason: Reason
    message: str
    plan: Plan
    role: Role = Role.CONVERTOR
    """Of an importer that may have been a first consumer it is `importer`."""


def check_placement(
    pod: PodMetadata,
    plan: Plan,
    installation: Installation,
    window: EnforcementWindow,
    observed: Observed = NOTHING_OBSERVED,
) -> Finding | None:
    """Return the finding for a pod of `plan`; None if its placement is right or cannot be checked.

    Placed pods extend `window`, so they must be checked first.
    """
    mode = resolve_mode(plan, pod.namespace, installation)
    namespace = namespace_for(plan, in_plan_namespace=pod.kind.in_plan_namespace)
    if mode.mode is not Mode.ENFORCE or pod.namespace != namespace:
        return None
    if pod.placement:
        window.record(pod, mode)
        known = max(plan.settings_modified, window.start)
        return _find_removed_labels(pod, plan, installation) if pod.created > known else None
    if pod.created <= plan.settings_modified or not window.includes(pod, mode):
        return None
    candidates = [*_list_candidates(pod, observed)]
    if not all(has_settings(settings_for(each, plan, installation)[0]) for each in candidates):
        return None
    role = candidates[0].role
    text = f"{_describe(pod, pod.kind.role)} was created without the placement of plan '{plan}'"
    causes = "the webhook was not called, or its review failed"
    if pod.ref is None:
        causes = "the webhook was not called, did not know the pod's PVC yet, or its review failed"
    return Finding(Reason.MISSED, f"{text}: {causes}", plan, role)


def _list_candidates(pod: PodMetadata, observed: Observed) -> Iterator[MigrationPod]:
    """Yield all that a review may have recognized the pod as.

    Other disks of its VM may restrict a first consumer, or leave it without rules, so it would have
    been placed only if it is with and without them.
    """
    roles = [pod.kind.role]
    if pod.kind.role is Role.IMPORTER and observed.was_unbound:
        roles = [Role.FIRST_CONSUMER]
    elif pod.kind.role is Role.IMPORTER:
        roles.append(Role.FIRST_CONSUMER)
    for role in roles:
        for disk in [None, observed.disk] if observed.disk else [None]:
            for has_node in [False, True] if may_have_node(pod) else [False]:
                yield MigrationPod(role, pod.ref, disk, has_node=has_node)


def plan_ref(pod: PodMetadata, observed: Observed) -> PlanRef | None:
    """Return the plan that the pod names, or else its PVC."""
    return pod.ref or (observed.disk.pvc.ref if observed.disk else None)


def _find_removed_labels(
    pod: PodMetadata, plan: Plan, installation: Installation
) -> Finding | None:
    """Check a placed pod for missing labels.

    A label with another value is not a change: Forklift may have created the pod with it.
    """
    role = role_of_placed(pod, installation.prefix)
    if role is None:
        removed = [role_label(installation.prefix)]
    else:
        placed = MigrationPod(role)
        settings = settings_for(placed, plan, installation).settings
        is_placed = role is not Role.CONVERTOR or applies(placed, plan)
        added = own_labels(placed, plan, installation) if is_placed else {}
        wanted, _ = place_labels(pod.labels, settings, added, installation.prefix)
        removed = [f"{key}={value}" for key, value in wanted.items() if key not in pod.labels]
    if not removed:
        return None
    role = role or pod.kind.role
    return Finding(
        Reason.CHANGED_BACK,
        f"{_describe(pod, role)} was placed by plan '{plan}', and another client has removed "
        f"labels since: expected {','.join(removed)}",
        plan,
        role,
    )


def role_of_placed(pod: PodMetadata, prefix: str) -> Role | None:
    """Return the role of a placed pod; None for an importer without its label."""
    if pod.kind.role is not Role.IMPORTER:
        return pod.kind.role
    found = pod.labels.get(role_label(prefix))
    return next((role for role in (Role.IMPORTER, Role.FIRST_CONSUMER) if role == found), None)


def may_have_node(pod: PodMetadata) -> bool:
    """Return whether a pod of this kind may be created for a node, which its disk has selected."""
    kind = pod.kind
    in_prime = kind.pvc is not None and bool(find_populated_uid(kind.pvc.name))
    return kind.role is Role.POPULATOR or in_prime


def _describe(pod: PodMetadata, role: Role) -> str:
    return f"pod '{pod}'" if role is Role.CONVERTOR else f"{role} pod '{pod}'"


def _origin_of(pod: PodMetadata, mode: EffectiveMode) -> str:
    """Return the key of the pods whose mode has the same origin; plans share one."""
    if mode.origin is Origin.NAMESPACE:
        return f"{mode.origin}/{pod.namespace}"
    return mode.origin.value
