"""What a scheduler knows: nodes, pods and namespaces, as the API server sends them."""

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from webhook.kube.objects import Json, labels_of, name_of, phase_of, spec_of
from webhook.kube.scheduler.resources import PODS, Amounts, taken

_FINISHED = ("Succeeded", "Failed")


class World(msgspec.Struct, frozen=True):
    """Everything that decides where a pod may run. Made by `look`."""

    nodes: list[Json]
    """In the order of their names."""
    pods: dict[str, list[Json]]
    """Those on a node, by its name: bound to it, and not finished."""
    taken: dict[str, Amounts]
    """What those take, by the name of the node."""
    waiting: list[Json]
    """Those on no node; they are in nobody's way."""
    namespaces: Mapping[str, Mapping[str, str]]
    """The labels of each namespace."""


def look(nodes: Iterable[Json], pods: Iterable[Json], namespaces: Iterable[Json]) -> World:
    """Return the world of these objects. A pod on a node that is not there is not there either."""
    known = sorted(nodes, key=name_of)
    bound: dict[str, list[Json]] = {name_of(node): [] for node in known}
    waiting: list[Json] = []
    for pod in pods:
        name = spec_of(pod).get("nodeName") or ""
        if phase_of(pod) in _FINISHED:
            continue
        if not name:
            waiting.append(pod)
        elif name in bound:
            bound[name].append(pod)
    labels = {name_of(namespace): labels_of(namespace) for namespace in namespaces}
    taken_there = {name: _taken(there) for name, there in bound.items()}
    return World(known, bound, taken_there, waiting, labels)


def _taken(pods: list[Json]) -> Amounts:
    total = Counter({PODS: len(pods)})
    for pod in pods:
        total.update(taken(pod))
    return dict(total)
