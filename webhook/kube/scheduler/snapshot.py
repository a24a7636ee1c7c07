"""A snapshot of the cluster: the nodes, pods and namespaces that kube-scheduler decides from."""

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from webhook.kube.objects import Json, has_ended, labels_of, name_of, spec_of
from webhook.kube.scheduler.resources import PODS, Resources, used


class Snapshot(msgspec.Struct, frozen=True):
    """Nodes and pods as the API server has them. Made by `take_snapshot`."""

    nodes: list[Json]
    """By name."""
    pods: dict[str, list[Json]]
    """The pods that are bound to a node and not finished, by the node's name."""
    used: dict[str, Resources]
    """The sum of these pods' requests, by the node's name."""
    waiting: list[Json]
    """The pods that are bound to no node; no filter considers them."""
    namespaces: Mapping[str, Mapping[str, str]]
    """The labels of each namespace."""


def take_snapshot(
    nodes: Iterable[Json], pods: Iterable[Json], namespaces: Iterable[Json]
) -> Snapshot:
    """Return the snapshot of these objects, without pods on nodes that are not among them."""
    known = sorted(nodes, key=name_of)
    bound: dict[str, list[Json]] = {name_of(node): [] for node in known}
    waiting: list[Json] = []
    for pod in pods:
        node_name = spec_of(pod).get("nodeName") or ""
        if has_ended(pod):
            continue
        if not node_name:
            waiting.append(pod)
        elif node_name in bound:
            bound[node_name].append(pod)
    return Snapshot(
        nodes=known,
        pods=bound,
        used={name: _sum_used(each) for name, each in bound.items()},
        waiting=waiting,
        namespaces={name_of(namespace): labels_of(namespace) for namespace in namespaces},
    )


def _sum_used(pods: list[Json]) -> Resources:
    total = Counter({PODS: len(pods)})
    for pod in pods:
        total.update(used(pod))
    return dict(total)
