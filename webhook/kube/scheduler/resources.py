"""What a pod asks for, as the scheduler adds it up.

After `k8s.io/component-helpers/resource` (`PodRequests`) and `framework.Resource` of
kube-scheduler: CPU counts in thousandths, everything else in whole units, rounded up.
"""

from collections.abc import Iterable, Mapping
from decimal import ROUND_CEILING, Decimal

from webhook.kube import quantity
from webhook.kube.objects import Json, spec_of, status_of

Amounts = dict[str, int]
"""By the name of a resource, in the scheduler's units."""

_Quantities = dict[str, Decimal]

CPU, MEMORY, STORAGE, PODS = "cpu", "memory", "ephemeral-storage", "pods"
_FIRST = (CPU, MEMORY, STORAGE)
_POD_LEVEL = (CPU, MEMORY)
_HUGE_PAGES = "hugepages-"
_SCALARS = (_HUGE_PAGES, "attachable-volumes-")


def asked(pod: Json) -> Amounts:
    """Return what a pod to be scheduled asks for."""
    return amounts(_requests(pod, {}, {}))


def taken(pod: Json) -> Amounts:
    """Return what a pod on a node takes: a resize counts as soon as either side has it."""
    status = status_of(pod)
    statuses = [*(status.get("containerStatuses") or ())]
    statuses += status.get("initContainerStatuses") or ()
    return amounts(_requests(pod, {each["name"]: each for each in statuses}, status))


def amounts(quantities: Mapping[str, Decimal]) -> Amounts:
    """Return quantities in the scheduler's units, without what it does not look at."""
    return {
        name: int((value * 1000 if name == CPU else value).to_integral_value(ROUND_CEILING))
        for name, value in quantities.items()
        if name in (*_FIRST, PODS) or "/" in name or name.startswith(_SCALARS)
    }


def read(resources: Mapping[str, str | int] | None) -> _Quantities:
    """Read a core/v1 ResourceList."""
    return {name: quantity.parse(str(value)) for name, value in (resources or {}).items()}


def _requests(pod: Json, statuses: Mapping[str, Json], status: Json) -> _Quantities:
    spec, infeasible = spec_of(pod), _resize_is_infeasible(pod)

    def requests(container: Json) -> _Quantities:
        said = statuses.get(container["name"]) or {}
        return _effective(container.get("resources"), said, infeasible=infeasible)

    total = _sum(requests(container) for container in spec.get("containers") or ())
    sidecars: _Quantities = {}
    largest: _Quantities = {}
    for container in spec.get("initContainers") or ():
        if container.get("restartPolicy") == "Always":
            total = _sum([total, requests(container)])
            sidecars = needed = _sum([sidecars, requests(container)])
        else:
            own = read((container.get("resources") or {}).get("requests"))
            needed = _sum([own, sidecars])
        largest = _largest([largest, needed])
    total = _largest([total, largest])
    whole = _effective(spec.get("resources"), status, infeasible=infeasible)
    for name in (spec.get("resources") or {}).get("requests") or ():
        if name in _POD_LEVEL or name.startswith(_HUGE_PAGES):
            total[name] = whole.get(name, Decimal(0))
    return _sum([total, read(spec.get("overhead"))])


def _effective(resources: Json | None, said: Json, *, infeasible: bool) -> _Quantities:
    """Return requests, the larger ones where the status has others: a resize is under way."""
    wanted = read((resources or {}).get("requests"))
    if not said.get("resources"):
        return wanted
    given = read(said["resources"].get("requests"))
    allocated = read(said.get("allocatedResources"))
    return _largest([given, allocated] if infeasible else [wanted, given, allocated])


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


def _largest(lists: Iterable[_Quantities]) -> _Quantities:
    largest: _Quantities = {}
    for each in lists:
        for name, value in each.items():
            largest[name] = max(largest.get(name, value), value)
    return largest
