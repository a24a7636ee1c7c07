"""The convertor pods that a plan has, and the one that is judged."""

from collections.abc import Iterable

from webhook.admission.patch import diff
from webhook.admission.patch_summary import list_changes
from webhook.forklift.labels import CONVERTOR_LABEL, CONVERTOR_VALUE
from webhook.forklift.owner import plan_ref
from webhook.kube.objects import (
    Json,
    labels_of,
    metadata_of,
    name_of,
    namespace_of,
    phase_of,
    spec_of,
    status_of,
)
from webhook.kube.scheduler import run_filters
from webhook.kube.scheduler.defaulting import with_defaults
from webhook.model import Mode, Plan, Request
from webhook.placement import MalformedPod, Placed, place
from webhook.reports.explain.context import Case
from webhook.reports.explain.model import Pod
from webhook.reports.model_pod import model_pod

JUDGED = 10
"""Waiting pods that are judged one by one; a plan's pods seldom differ."""


def pods_of(plan: Plan, pods: Iterable[Json]) -> list[Json]:
    """Return the convertor pods of a plan, the oldest first."""
    return sorted(
        (pod for pod in pods if _is_of(plan, pod)),
        key=lambda pod: (metadata_of(pod).get("creationTimestamp") or "", name_of(pod)),
    )


def is_waiting(pod: Json) -> bool:
    return not spec_of(pod).get("nodeName") and phase_of(pod) in ("", "Pending")


def new_pod(case: Case) -> Json:
    """Return what a pod for one more VM would be."""
    pod = model_pod(case.plan, case.spec)
    if case.mode is Mode.ENFORCE:
        pod = place(pod, case.plan, case.installation, case.node_values).pod
    return with_defaults(pod)


def renewed(pod: Json, case: Case, new: Json) -> Json:
    """Return what a pod that waits would be if it was made now; `new` is one that is made now."""
    if case.mode is not Mode.ENFORCE:
        return new if _is_marked(pod, case) else pod
    placed = _place(pod, case)
    if placed is None:
        return new
    if not diff(pod, placed.pod) and not placed.notes:
        return pod
    return new if _is_marked(pod, case) else placed.pod


def enforced(pod: Json, case: Case) -> Json | None:
    """Return what enforce would make of a pod, whatever the mode; None where it cannot."""
    placed = _place(pod, case)
    return placed.pod if placed else None


def _place(pod: Json, case: Case) -> Placed | None:
    try:
        return place(pod, case.plan, case.installation, case.node_values)
    except MalformedPod:
        return None


def told(pods: list[Json], case: Case) -> list[Pod]:
    """Say of each pod where it is, or why it waits."""
    judged = [pod for pod in pods if is_waiting(pod)][:JUDGED] if case.snapshot.nodes else []
    return [
        Pod(
            name=name_of(pod),
            namespace=namespace_of(pod),
            phase=phase_of(pod),
            node=spec_of(pod).get("nodeName") or "",
            placement=_placement(pod, case),
            message=_message(pod),
            nodes=sum(each.fits for each in run_filters(pod, case.snapshot))
            if pod in judged
            else None,
        )
        for pod in pods
    ]


def _is_of(plan: Plan, pod: Json) -> bool:
    namespace = namespace_of(pod)
    if labels_of(pod).get(CONVERTOR_LABEL) != CONVERTOR_VALUE or namespace != plan.target_namespace:
        return False
    ref = plan_ref(Request("", namespace=namespace, object=pod))
    if ref is None:
        return False
    if ref.uid:
        return ref.uid == plan.uid
    return ref.name == plan.name and ref.namespace in ("", plan.namespace)


def _message(pod: Json) -> str:
    """Return what the scheduler says of a pod that it has not placed, or what one waits for."""
    for condition in status_of(pod).get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return condition.get("message") or condition.get("reason") or ""
    return _container_message(pod) if phase_of(pod) in ("", "Pending") else ""


def _container_message(pod: Json) -> str:
    """Return what the kubelet says of the first container that does not run, in their order."""
    status = status_of(pod)
    for field in ("initContainerStatuses", "containerStatuses"):
        for container in status.get(field) or ():
            if waiting := (container.get("state") or {}).get("waiting"):
                said = filter(None, (waiting.get("reason"), waiting.get("message")))
                return f"container {': '.join((container['name'], *said))}"
    return ""


def _placement(pod: Json, case: Case) -> str:
    """Say where a pod is not as the webhook would make it now."""
    if not _is_marked(pod, case) and case.mode is not Mode.ENFORCE:
        return f"not placed, the mode is {case.mode}"
    try:
        placed = place(pod, case.plan, case.installation, case.node_values)
    except MalformedPod as error:
        return str(error)
    patch = diff(pod, placed.pod)
    if _is_marked(pod, case):
        kept = "has other labels than its plan" if placed.notes else ""
        return "placed by other settings" if list_changes(patch) else kept
    return "not placed by the webhook" if patch else ""


def _is_marked(pod: Json, case: Case) -> bool:
    """Whether a pod says that it was placed."""
    annotations = metadata_of(pod).get("annotations") or {}
    return f"{case.installation.prefix}/placement" in annotations
