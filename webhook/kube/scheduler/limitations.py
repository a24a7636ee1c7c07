"""What may keep a pod from a node and is not looked at here."""

from collections.abc import Iterator
from typing import Any

from webhook.kube.affinity import REQUIRED
from webhook.kube.objects import Json, affinity_of, spec_of, status_of
from webhook.kube.scheduler.selectors import selects
from webhook.kube.scheduler.snapshot import World

_DEFAULT_SCHEDULER = "default-scheduler"


def unjudged(pod: Json, world: World) -> list[str]:
    """Return a sentence on everything of this pod and world that the verdicts leave out."""
    return [*_unjudged(spec_of(pod), world), *_depends_on_release(pod)]


def _unjudged(spec: Json, world: World) -> Iterator[str]:
    if claims := sorted(_claims(spec)):
        yield (
            f"volumes: nodes that cannot reach {_listed(claims)} fall away; "
            "see kubectl describe pvc"
        )
    if spec.get("topologySpreadConstraints"):
        yield "topologySpreadConstraints of the pod: the plugin PodTopologySpread may reject nodes"
    if spec.get("resourceClaims"):
        yield "resourceClaims of the pod: the plugin DynamicResources may reject nodes"
    if ports := sorted(_host_ports(spec)):
        yield f"host ports {_listed(ports)}: the plugin NodePorts rejects nodes that use them"
    if spec.get("schedulingGates"):
        yield "schedulingGates of the pod: the scheduler does not look at it until they are gone"
    if (scheduler := spec.get("schedulerName") or _DEFAULT_SCHEDULER) != _DEFAULT_SCHEDULER:
        yield f"scheduler '{scheduler}': it may go by other rules than kube-scheduler's default"
    if any(status_of(waiting).get("nominatedNodeName") for waiting in world.waiting):
        yield "preemption: room that is being made for a waiting pod counts as free here"


def _depends_on_release(pod: Json) -> Iterator[str]:
    for kind in ("podAffinity", "podAntiAffinity"):
        for term in affinity_of(pod, kind).get(REQUIRED) or ():
            selector = term.get("namespaceSelector")
            if selector and selector.get("matchExpressions") and selects(selector, {}):
                yield (
                    "a rule that says of namespaces only what they are not: kube-scheduler 1.34 to "
                    "1.36 looks into all for it, which is judged here, and other releases do not"
                )


def _claims(spec: Json) -> Iterator[str]:
    for volume in spec.get("volumes") or ():
        if claim := volume.get("persistentVolumeClaim"):
            yield f"'{claim['claimName']}'"


def _host_ports(spec: Json) -> Iterator[int]:
    for container in spec.get("containers") or ():
        for port in container.get("ports") or ():
            if port.get("hostPort"):
                yield port["hostPort"]


def _listed(items: list[Any]) -> str:
    shown = ", ".join(map(str, items[:3]))
    return shown if len(items) <= 3 else f"{shown} and {len(items) - 3} more"
