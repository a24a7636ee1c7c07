"""The Services, ReplicaSets, budgets and network policies that select the pods of a plan.

A label of a plan may make an object of another workload select its pods, which changes that
workload, or ends the migration.
"""

from collections.abc import Iterable, Iterator

from webhook.kube.messages import join_with_and
from webhook.kube.objects import Json, labels_of, metadata_of, namespace_of
from webhook.kube.pod_selectors import PodSelector
from webhook.kube.selectors import list_requirements
from webhook.model import Role
from webhook.reports.explain.context import ExplainContext
from webhook.reports.explain.model import Advice, SelectedRow
from webhook.reports.explain.pods import build_new_pod
from webhook.reports.model_pod import build_model_pod

_EFFECTS = {
    "Service": "sends them its traffic once they are ready",
    "ReplicaSet": "adopts them, and deletes one pod for each",
    "PodDisruptionBudget": "counts them, and allows more evictions of its other pods",
}
_HARMLESS = frozenset({"NetworkPolicy"})
"""Kinds that plans have labels for."""


def list_selected(context: ExplainContext, selectors: Iterable[PodSelector]) -> list[SelectedRow]:
    """Return a row for each object in the target namespace that selects the plan's next pods."""
    target = context.plan.target_namespace
    pods = {role: build_new_pod(context, role) for role in context.plan.settings.pods}
    pods = {role: pod for role, pod in pods.items() if namespace_of(pod) == target}
    rows = [_row(each, pods, context) for each in selectors]
    return sorted(
        (row for row in rows if row.pods), key=lambda row: (not row.labels, row.kind, row.name)
    )


def advise_on_selected(rows: list[SelectedRow], context: ExplainContext) -> Iterator[Advice]:
    """Yield what to do about the objects that select pods because of a label of the plan."""
    annotations = context.reading.sources.annotations
    for row in rows:
        if not row.labels or row.kind in _HARMLESS:
            continue
        problem = f"{row.kind} {row.name} selects {join_with_and(row.pods)} pods and {row.effect}"
        own = [label.partition("=")[0] for label in row.labels]
        command = ""
        if all(key in annotations.labels for key in own):
            command = context.commands.patch("--convertor-labels", f"{own[0]}-")
        yield Advice(problem, f"leave out {' or '.join(row.labels)}", command)


def _row(selector: PodSelector, pods: dict[Role, Json], context: ExplainContext) -> SelectedRow:
    selected = [
        role
        for role, pod in pods.items()
        if selector.matches(labels_of(pod)) and not _is_kept_from(selector, pod)
    ]
    added: dict[str, None] = {}
    for role in selected:
        before = labels_of(build_model_pod(context.plan, context.spec, role))
        before = before if role is not Role.CONVERTOR else _without_fields(before, context)
        if not selector.matches(before):
            added |= dict.fromkeys(_list_added(selector, before, labels_of(pods[role])))
    return SelectedRow(
        kind=selector.kind,
        name=selector.name,
        pods=[role.value for role in selected],
        labels=[*added],
        effect=_EFFECTS.get(selector.kind) or _restrict(selector),
    )


def _is_kept_from(selector: PodSelector, pod: Json) -> bool:
    """Return whether a ReplicaSet leaves a pod alone, because that has another controller."""
    owners = metadata_of(pod).get("ownerReferences") or ()
    return selector.kind == "ReplicaSet" and any(each.get("controller") for each in owners)


def _without_fields(labels: dict[str, str], context: ExplainContext) -> dict[str, str]:
    """Return the labels of a convertor pod without those of the plan's spec."""
    own = context.reading.sources.spec.labels
    return {key: value for key, value in labels.items() if key not in own}


def _list_added(
    selector: PodSelector, before: dict[str, str], after: dict[str, str]
) -> Iterator[str]:
    """Yield the labels of the selector that the pod has from its plan or from the webhook."""
    for requirement in list_requirements(selector.selector or {}):
        key = requirement["key"]
        if key in after and before.get(key) != after[key]:
            yield f"{key}={after[key]}"


def _restrict(policy: PodSelector) -> str:
    directions = {"Ingress": "incoming", "Egress": "outgoing"}
    names = join_with_and([directions.get(each, each) for each in policy.directions])
    return f"restricts their {names} connections"
