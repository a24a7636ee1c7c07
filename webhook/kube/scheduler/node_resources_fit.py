"""NodeResourcesFit: room for what the pod asks for."""

from webhook.kube.objects import Json, name_of, status_of
from webhook.kube.scheduler.plugin import Filter, Rejection
from webhook.kube.scheduler.resources import PODS, amounts, asked, read
from webhook.kube.scheduler.snapshot import World

PLUGIN = "NodeResourcesFit"


def node_resources_fit(pod: Json, world: World) -> Filter:
    """Reject by room; the causes are `{"resource", "asked", "taken", "room"}`, room being all."""
    wanted = asked(pod)

    def reject(node: Json) -> Rejection | None:
        room = amounts(read(status_of(node).get("allocatable")))
        used = world.taken[name_of(node)]
        causes: list[Json] = [
            {
                "resource": name,
                "asked": amount,
                "taken": used.get(name, 0),
                "room": room.get(name, 0),
            }
            for name, amount in ({PODS: 1} | wanted).items()
            if amount and amount > room.get(name, 0) - used.get(name, 0)
        ]
        reasons = [_reason(cause["resource"]) for cause in causes]
        return Rejection(PLUGIN, reasons, causes) if causes else None

    return reject


def _reason(resource: str) -> str:
    return "Too many pods" if resource == PODS else f"Insufficient {resource}"
