"""The settings that are not about nodes, and the convertor profile, in plain English."""

from collections.abc import Callable, Iterator
from typing import Any

from webhook.kube.messages import join_with_and
from webhook.kube.objects import encode
from webhook.model import MigrationPod, Role
from webhook.placement.profile import SCRATCH_PATH
from webhook.placement.role_settings import settings_for
from webhook.reports.explain.context import ExplainContext
from webhook.reports.installation import list_profile
from webhook.settings.names import LIMITS, REQUESTS

_KEPT_BY = {
    ("cluster-autoscaler.kubernetes.io/safe-to-evict", "false"): "the cluster-autoscaler",
    ("karpenter.sh/do-not-disrupt", "true"): "Karpenter",
}
"""The annotations that keep a pod, and what reads them."""
_PROFILE = {
    "seccomp-profile": "run with the seccomp profile {}",
    "app-armor-profile": "run with the AppArmor profile {}",
    "env": "have the environment variables {}",
    "runtime-class": "run in the runtime class {}",
    "scratch-volume": (
        f"get a volume of {{}} at {SCRATCH_PATH}, which is deleted with the pod: Forklift keeps "
        "pods unless spec.deleteGuestConversionPod of the plan is true"
    ),
}


def list_effects(context: ExplainContext) -> list[str]:
    """Return a sentence for each effect on pods besides where they run."""
    known = context.cluster.priority_classes or ()
    by_part: dict[str, Callable[[str, Any], Iterator[str]]] = {
        "resources": _describe_resources,
        "priority_class": _describe_class,
        "pod_annotations": _describe_annotations,
    }
    profile = list_profile(context.installation, context.plan.target_namespace)
    return [
        *(
            sentence
            for part, describe in by_part.items()
            for value, pods in _group_roles(part, context)
            if part != "priority_class" or value in known
            for sentence in describe(pods, value)
        ),
        *(f"Convertor pods {_PROFILE[row.name].format(row.value)}." for row in profile),
    ]


def _group_roles(part: str, context: ExplainContext) -> Iterator[tuple[Any, str]]:
    """Yield the values of a field of Settings that are not empty, with the pods that have them."""
    roles_by_value: dict[bytes, list[Role]] = {}
    values: dict[bytes, Any] = {}
    for role in context.plan.settings.pods:
        found = settings_for(MigrationPod(role), context.plan, context.installation).settings
        if value := getattr(found, part):
            values[encode(value)] = value
            roles_by_value.setdefault(encode(value), []).append(role)
    for key, roles in roles_by_value.items():
        names = join_with_and(roles)
        yield values[key], f"{names[0].upper()}{names[1:]} pods"


def _describe_resources(pods: str, resources: dict[str, str]) -> Iterator[str]:
    verbs = {REQUESTS: "requests", LIMITS: "may use up to"}
    parts = [
        f"{verb} {join_with_and(amounts)}"
        for part, verb in verbs.items()
        if (
            amounts := [
                f"{amount} {name.partition('.')[2]}"
                for name, amount in resources.items()
                if name.startswith(f"{part}.")
            ]
        )
    ]
    yield f"{pods}: the main container {', and '.join(parts)}."


def _describe_class(pods: str, name: str) -> Iterator[str]:
    yield (
        f"{pods} have the PriorityClass {name}: they are scheduled before pods of lower priority, "
        "and may evict those unless its preemptionPolicy is Never."
    )


def _describe_annotations(pods: str, annotations: dict[str, str]) -> Iterator[str]:
    for key, value in annotations.items():
        reader = _KEPT_BY.get((key, value))
        effect = f", so that {reader} does not evict them" if reader else ""
        yield f"{pods} get the annotation {key}={value}{effect}."
