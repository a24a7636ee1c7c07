"""Scheduling constraints of a pod that the filters of this package do not evaluate."""

from collections.abc import Iterator
from typing import Any

from webhook.kube.affinity import REQUIRED
from webhook.kube.objects import Json, affinity_of, spec_of, status_of
from webhook.kube.scheduler.snapshot import Snapshot
from webhook.kube.selectors import label_selector_matches

_DEFAULT_SCHEDULER = "default-scheduler"
_MAX_LISTED = 3


def limitations(pod: Json, snapshot: Snapshot) -> list[str]:
    """Return a sentence for each constraint that may make kube-scheduler decide differently."""
    return [*_find_unsupported_fields(spec_of(pod), snapshot), *_find_release_differences(pod)]


def _find_unsupported_fields(spec: Json, snapshot: Snapshot) -> Iterator[str]:
    if claims := sorted(_list_claims(spec)):
        yield (
            f"volumes: kube-scheduler rejects nodes that cannot access {_join(claims)}; "
            "see the events of these claims"
        )
    if spec.get("resourceClaims"):
        yield "resourceClaims of the pod: the plugin DynamicResources may reject nodes"
    if ports := sorted(_list_host_ports(spec)):
        yield f"host ports {_join(ports)}: the plugin NodePorts rejects nodes that use them"
    if spec.get("schedulingGates"):
        yield "schedulingGates of the pod: kube-scheduler skips the pod until they are removed"
    if (scheduler := spec.get("schedulerName") or _DEFAULT_SCHEDULER) != _DEFAULT_SCHEDULER:
        yield f"scheduler '{scheduler}': its plugins may differ from the default profile's"
    if any(status_of(waiting).get("nominatedNodeName") for waiting in snapshot.waiting):
        yield "preemption: resources that are reserved for a nominated pod count as free here"


def _find_release_differences(pod: Json) -> Iterator[str]:
    for kind in ("podAffinity", "podAntiAffinity"):
        for term in affinity_of(pod, kind).get(REQUIRED) or ():
            selector = term.get("namespaceSelector") or {}
            if selector.get("matchExpressions") and label_selector_matches(selector, {}):
                yield (
                    "a namespaceSelector that matches a namespace without labels: kube-scheduler "
                    "1.34 to 1.36 matches pods of all namespaces, as assumed here; other releases "
                    "do not"
                )


def _list_claims(spec: Json) -> Iterator[str]:
    for volume in spec.get("volumes") or ():
        if claim := volume.get("persistentVolumeClaim"):
            yield f"'{claim['claimName']}'"


def _list_host_ports(spec: Json) -> Iterator[int]:
    for container in spec.get("containers") or ():
        for port in container.get("ports") or ():
            if port.get("hostPort"):
                yield port["hostPort"]


def _join(items: list[Any]) -> str:
    listed = ", ".join(map(str, items[:_MAX_LISTED]))
    more = len(items) - _MAX_LISTED
    return f"{listed} and {more} more" if more > 0 else listed
