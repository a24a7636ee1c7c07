"""Resource requests of pods, added up as kube-scheduler does.

Follows `k8s.io/component-helpers/resource` (`PodRequests`) and `framework.Resource` of
kube-scheduler: CPU in millicores, everything else in whole units, rounded up.
"""

from collections.abc import Iterable, Mapping
from decimal import ROUND_CEILING, Decimal

from webhook.kube import quantity
from webhook.kube.objects import Json, spec_of, status_of

Resources = dict[str, int]
"""Amounts by resource name, in the scheduler's units."""

_Quantities = dict[str, Decimal]

CPU, MEMORY, STORAGE, PODS = "cpu", "memory", "ephemeral-storage", "pods"
_STANDARD = (CPU, MEMORY, STORAGE, PODS)
_POD_LEVEL = (CPU, MEMORY)
_HUGE_PAGES_PREFIX = "hugepages-"
_SCALAR_PREFIXES = (_HUGE_PAGES_PREFIX, "attachable-volumes-")


def requested(pod: Json) -> Resources:
    """Return the requests of a pod that is to be scheduled."""
    return to_scheduler_units(_sum_pod_requests(pod, {}, {}))


def used(pod: Json) -> Resources:
    """Return the requests of a pod on a node; during a resize the larger of spec and status."""
    status = status_of(pod)
    statuses = [*(status.get("containerStatuses") or ())]
    statuses += status.get("initContainerStatuses") or ()
    by_name = {each["name"]: each for each in statuses}
    return to_scheduler_units(_sum_pod_requests(pod, by_name, status))


def to_scheduler_units(quantities: Mapping[str, Decimal]) -> Resources:
    """Convert quantities, without the resources that the scheduler ignores."""
    return {
        name: int((value * 1000 if name == CPU else value).to_integral_value(ROUND_CEILING))
        for name, value in quantities.items()
        if name in _STANDARD or "/" in name or name.startswith(_SCALAR_PREFIXES)
    }


def parse_resource_list(resources: Mapping[str, str | int] | None) -> _Quantities:
    """Parse a core/v1 ResourceList."""
    return {name: quantity.parse(str(value)) for name, value in (resources or {}).items()}


def _sum_pod_requests(pod: Json, statuses: Mapping[str, Json], status: Json) -> _Quantities:
    spec, infeasible = spec_of(pod), _resize_is_infeasible(pod)

    def container_requests(container: Json) -> _Quantities:
        container_status = statuses.get(container["name"]) or {}
        return _get_effective_requests(
            container.get("resources"), container_status, infeasible=infeasible
        )

    total = _sum(container_requests(container) for container in spec.get("containers") or ())
    sidecars: _Quantities = {}
    init_peak: _Quantities = {}
    for container in spec.get("initContainers") or ():
        if container.get("restartPolicy") == "Always":
            total = _sum([total, container_requests(container)])
            sidecars = needed = _sum([sidecars, container_requests(container)])
        else:
            own = parse_resource_list((container.get("resources") or {}).get("requests"))
            needed = _sum([own, sidecars])
        init_peak = _max([init_peak, needed])
    total = _max([total, init_peak])
    pod_level = _get_effective_requests(spec.get("resources"), status, infeasible=infeasible)
    for name in (spec.get("resources") or {}).get("requests") or ():
        if name in _POD_LEVEL or name.startswith(_HUGE_PAGES_PREFIX):
            total[name] = pod_level.get(name, Decimal(0))
    return _sum([total, parse_resource_list(spec.get("overhead"))])


def _get_effective_requests(
    resources: Json | None, status: Json, *, infeasible: bool
) -> _Quantities:
    """Return the requests, or during a resize the maximum of desired, actual and allocated."""
    desired = parse_resource_list((resources or {}).get("requests"))
    if not status.get("resources"):
        return desired
    actual = parse_resource_list(status["resources"].get("requests"))
    allocated = parse_resource_list(status.get("allocatedResources"))
    return _max([actual, allocated] if infeasible else [desired, actual, allocated])


def _resize_is_infeasible(pod: Json) -> bool:
    conditions: Iterable[Json] = status_of(pod).get("conditions") or ()
    pending = [each for each in conditions if each.get("type") == "PodResizePending"]
    return bool(pending) and pending[0].get("reason") == "Infeasible"


def _sum(lists: Iterable[_Quantities]) -> _Quantities:
    total: _Quantities = {}
    for each in lists:
        for name, value in each.items():
            total[name] = total.get(name, Decimal(0)) + value
    return total


def _max(lists: Iterable[_Quantities]) -> _Quantities:
    largest: _Quantities = {}
    for each in lists:
        for name, value in each.items():
            largest[name] = max(largest.get(name, value), value)
    return largest
