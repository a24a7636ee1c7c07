"""The convertor pods of a plan, and the pod that is evaluated."""

from collections.abc import Iterable

from webhook.admission.patch import diff
from webhook.admission.patch_summary import list_changes
from webhook.forklift.labels import CONVERTOR_LABEL, CONVERTOR_VALUE
from webhook.forklift.owner import find_plan_ref
from webhook.kube.defaulting import with_defaults
from webhook.kube.objects import (
    Json,
    annotations_of,
    labels_of,
    metadata_of,
    name_of,
    namespace_of,
    phase_of,
    spec_of,
    status_of,
)
from webhook.kube.scheduler import run_filters
from webhook.model import MigrationPod, Plan, Problem, Role
from webhook.placement import MalformedPod, Placed, place, place_enforced
from webhook.reports.explain.context import ExplainContext
from webhook.reports.explain.model import PodRow
from webhook.reports.model_pod import build_model_pod

MAX_EVALUATED_PODS = 10
"""Pending pods for which the nodes are counted; a plan's pods seldom differ."""


def select_pods(plan: Plan, pods: Iterable[Json]) -> list[Json]:
    """Return the convertor pods of a plan, the oldest first."""
    return sorted(
        (pod for pod in pods if _is_of(plan, pod)),
        key=lambda pod: (metadata_of(pod).get("creationTimestamp") or "", name_of(pod)),
    )


def is_pending(pod: Json) -> bool:
    """Return whether a pod is not scheduled yet."""
    return not spec_of(pod).get("nodeName") and phase_of(pod) in ("", "Pending")


def build_new_pod(context: ExplainContext, role: Role = Role.CONVERTOR) -> Json:
    """Return the pod of a role that would be created next, with the API server's defaults."""
    pod = build_model_pod(context.plan, context.spec, role)
    return with_defaults(_place_now(pod, context, role).pod)


def list_placement_problems(context: ExplainContext) -> list[Problem]:
    """Return the problems of placing the next pods of the plan, one of each role.

    They depend on the pod or the cluster, such as a PriorityClass that does not exist.
    """
    placed = [
        _place_now(build_model_pod(context.plan, context.spec, role), context, role)
        for role in context.plan.settings.pods
    ]
    return [*{str(problem): problem for each in placed for problem in each.problems}.values()]


def recreate(pod: Json, context: ExplainContext, new: Json) -> Json:
    """Return a pending pod as it would be created now; `new` is the pod of one more VM."""
    is_placed = _is_placed(pod, context)
    if is_placed and context.unplaced_reason:
        return new
    try:
        placed = _place_now(pod, context)
    except MalformedPod:
        return new
    if not diff(pod, placed.pod) and not placed.notes:
        return pod
    return new if is_placed else placed.pod


def place_in_mode_enforce(pod: Json, context: ExplainContext) -> Json | None:
    """Return a pod as if it were placed, whatever the mode is; None if it is malformed."""
    try:
        return place(pod, context.plan, context.installation, context.cluster).pod
    except MalformedPod:
        return None


def _place_now(pod: Json, context: ExplainContext, role: Role = Role.CONVERTOR) -> Placed:
    """Place a pod in the effective mode.

    Raises:
        MalformedPod: as `webhook.placement.place`.

    """
    arguments = (pod, context.plan, context.installation, context.cluster, MigrationPod(role))
    if not context.unplaced_reason:
        return place(*arguments)
    return place_enforced(*arguments) if context.has_floor else Placed(pod, marked=False)


def list_pod_rows(pods: list[Json], context: ExplainContext) -> list[PodRow]:
    """Return a row for each pod: its node, or why it is pending."""
    evaluated: list[Json] = []
    if context.snapshot.nodes:
        evaluated = [pod for pod in pods if is_pending(pod)][:MAX_EVALUATED_PODS]
    return [
        PodRow(
            name=name_of(pod),
            namespace=namespace_of(pod),
            phase=phase_of(pod),
            node=spec_of(pod).get("nodeName") or "",
            placement=_describe_placement(pod, context),
            message=_status_message(pod),
            fitting_nodes=sum(verdict.fits for verdict in run_filters(pod, context.snapshot))
            if pod in evaluated
            else None,
        )
        for pod in pods
    ]


def _is_of(plan: Plan, pod: Json) -> bool:
    namespace = namespace_of(pod)
    if labels_of(pod).get(CONVERTOR_LABEL) != CONVERTOR_VALUE or namespace != plan.target_namespace:
        return False
    ref = find_plan_ref(metadata_of(pod), namespace)
    if ref is None:
        return False
    if ref.uid:
        return ref.uid == plan.uid
    return ref.name == plan.name and ref.namespace in ("", plan.namespace)


def _status_message(pod: Json) -> str:
    """Return kube-scheduler's message if a pod is not scheduled, or the reason of its delay."""
    for condition in status_of(pod).get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return condition.get("message") or condition.get("reason") or ""
    return _container_message(pod) if phase_of(pod) in ("", "Pending") else ""


def _container_message(pod: Json) -> str:
    """Return the kubelet's message for the first container that is waiting."""
    status = status_of(pod)
    for field in ("initContainerStatuses", "containerStatuses"):
        for container in status.get(field) or ():
            if waiting := (container.get("state") or {}).get("waiting"):
                details = filter(None, (waiting.get("reason"), waiting.get("message")))
                return f"container {': '.join((container['name'], *details))}"
    return ""


def _describe_placement(pod: Json, context: ExplainContext) -> str:
    """Return how a pod differs from one that is placed now; empty if it does not."""
    is_placed = _is_placed(pod, context)
    try:
        if not is_placed and context.unplaced_reason:
            lacks = context.has_floor and diff(pod, _place_now(pod, context).pod)
            more = ", and without what the installation enforces" if lacks else ""
            return f"not placed, {context.unplaced_reason}{more}"
        placed = place(pod, context.plan, context.installation, context.cluster)
    except MalformedPod as error:
        return str(error)
    patch = diff(pod, placed.pod)
    if is_placed:
        if list_changes(patch):
            return "placed with other settings"
        return "its labels differ from those of the plan" if placed.notes else ""
    return "not placed by the webhook" if patch else ""


def _is_placed(pod: Json, context: ExplainContext) -> bool:
    """Return whether a pod has the annotation of a placement."""
    return f"{context.installation.prefix}/placement" in annotations_of(pod)
