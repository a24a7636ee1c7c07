"""The resources of a placed pod's main container."""

from typing import NamedTuple

from webhook.forklift.labels import CONVERTOR_VALUE
from webhook.kube import quantity
from webhook.kube.objects import Json
from webhook.placement.shape import MalformedPod
from webhook.settings.names import LIMITS, REQUESTS, RESOURCES

UNREADABLE = "the containers of the pod are too large or malformed to be read"


class PlacedResources(NamedTuple):
    """Containers with the resources of a plan."""

    containers: list[Json] | None
    notes: list[str]
    """A sentence for each limit that was raised."""
    errors: list[str]
    """The reason for each quantity that is not applied."""


def main_container(containers: list[Json]) -> int:
    """Return the index of the container that does the work: `virt-v2v`, else the first."""
    names = [each.get("name") for each in containers]
    return names.index(CONVERTOR_VALUE) if CONVERTOR_VALUE in names else 0


def place_resources(containers: list[Json] | None, wanted: dict[str, str]) -> PlacedResources:
    """Give the main container the quantities of a plan; those that it does not name are kept.

    The API server rejects a pod that requests more than its limit. So a request above the pod's own
    limit raises that limit, and a limit below the pod's own request is not applied.
    """
    if not containers:
        return PlacedResources(containers, [], [f"resources are not applied: {UNREADABLE}"])
    index = main_container(containers)
    before = containers[index].get("resources") or {}
    requests, limits = (dict(before.get(part) or {}) for part in (REQUESTS, LIMITS))
    notes: list[str] = []
    errors: list[str] = []
    for name in RESOURCES:
        request, limit = (wanted.get(f"{part}.{name}") for part in (REQUESTS, LIMITS))
        own_request, own_limit = requests.get(name), limits.get(name)
        if request:
            requests[name] = request
            if not limit and own_limit is not None and _is_more(request, own_limit):
                limits[name] = request
                notes.append(
                    f"limit of {name} raised from {own_limit} to {request}, which the plan requests"
                )
        if limit and not request and own_request is not None and _is_more(own_request, limit):
            errors.append(
                f"{LIMITS}.{name}={limit} is not applied, because the pod requests {own_request}: "
                f"write {REQUESTS}.{name} too"
            )
        elif limit:
            limits[name] = limit
    resources = before | {
        part: amounts for part, amounts in ((REQUESTS, requests), (LIMITS, limits)) if amounts
    }
    placed = [*containers]
    if resources != before:
        placed[index] = containers[index] | {"resources": resources}
    return PlacedResources(placed, notes, errors)


def _is_more(first: str | int, second: str | int) -> bool:
    """Compare quantities, which JSON also has as numbers."""
    try:
        return quantity.is_more(str(first), str(second))
    except ValueError as error:
        message = f"a quantity of 'spec.containers': {error}"
        raise MalformedPod(message) from None
