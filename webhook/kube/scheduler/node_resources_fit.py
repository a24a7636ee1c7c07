"""NodeResourcesFit: the pod's requests and the free resources of the node."""

from webhook.kube.objects import Json, name_of, status_of
from webhook.kube.scheduler.plugin import Filter, Rejection
from webhook.kube.scheduler.resources import (
    PODS,
    parse_resource_list,
    requested,
    to_scheduler_units,
)
from webhook.kube.scheduler.snapshot import Snapshot

PLUGIN = "NodeResourcesFit"


def node_resources_fit(pod: Json, snapshot: Snapshot) -> Filter:
    """Reject nodes without enough free resources.

    The causes are `{"resource", "requested", "used", "allocatable"}`, one for each resource.
    """
    requests = {PODS: 1} | requested(pod)

    def reject(node: Json) -> Rejection | None:
        allocatable = to_scheduler_units(parse_resource_list(status_of(node).get("allocatable")))
        used = snapshot.used[name_of(node)]
        causes: list[Json] = [
            {
                "resource": name,
                "requested": amount,
                "used": used.get(name, 0),
                "allocatable": allocatable.get(name, 0),
            }
            for name, amount in requests.items()
            if amount and amount > allocatable.get(name, 0) - used.get(name, 0)
        ]
        reasons = [_format_reason(cause["resource"]) for cause in causes]
        return Rejection(PLUGIN, reasons, causes) if causes else None

    return reject


def _format_reason(resource: str) -> str:
    return "Too many pods" if resource == PODS else f"Insufficient {resource}"
