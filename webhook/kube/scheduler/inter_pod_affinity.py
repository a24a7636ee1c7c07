"""InterPodAffinity: the required pod terms of the pod, and those of the pods that are there.

After `filtering.go` of kube-scheduler's plugin. A pair of a topology key and a value stands for
all nodes with that label.
"""

from collections.abc import Iterator

from webhook.kube.affinity import REQUIRED
from webhook.kube.objects import Json, affinity_of, labels_of, name_of, namespace_of
from webhook.kube.scheduler.plugin import Filter, Rejection
from webhook.kube.scheduler.pod_terms import PodTerm, term_of_existing, term_of_incoming
from webhook.kube.scheduler.snapshot import World

PLUGIN = "InterPodAffinity"

AFFINITY = "node(s) didn't match pod affinity rules"
ANTI_AFFINITY = "node(s) didn't match pod anti-affinity rules"
EXISTING_ANTI_AFFINITY = "node(s) didn't satisfy existing pods anti-affinity rules"

_Pair = tuple[str, str]


def pod_affinity(pod: Json, world: World) -> Filter:
    """Reject where a pod is missing that this one must be near to; the causes are `{"term"}`.

    One pod has to meet all terms. Where none does anywhere, but the pod itself would, it is the
    first of a group, and may run wherever the topology is known.
    """
    terms = [term_of_incoming(term, pod) for term in _required(pod, "podAffinity")]
    near = {
        pair
        for node, there in _everywhere(world)
        if all(term.selects(there, world.namespaces) for term in terms)
        for term in terms
        if (pair := _pair(term, node))
    }
    first = not near and all(term.selects(pod, world.namespaces) for term in terms)

    def reject(node: Json) -> Rejection | None:
        missing = [
            term
            for term in terms
            if (pair := _pair(term, node)) is None or (pair not in near and not first)
        ]
        causes: list[Json] = [{"term": term.term} for term in missing]
        return Rejection(PLUGIN, [AFFINITY], causes) if causes else None

    return reject


def pod_anti_affinity(pod: Json, world: World) -> Filter:
    """Reject where a pod is that this one must keep away from; the causes are `{"term", "pod"}`."""
    terms = [term_of_incoming(term, pod) for term in _required(pod, "podAntiAffinity")]
    kept_from: dict[_Pair, Json] = {
        pair: {"term": term.term, "pod": _path(there)}
        for node, there in _everywhere(world)
        for term in terms
        if term.selects(there, world.namespaces) and (pair := _pair(term, node))
    }
    return _away_from(kept_from, ANTI_AFFINITY)


def existing_anti_affinity(pod: Json, world: World) -> Filter:
    """Reject where a pod is that keeps this one away; the causes are `{"term", "pod"}`."""
    namespace = namespace_of(pod)
    # A namespace that is not there counts as one without labels, here and only here.
    namespaces = {namespace: world.namespaces.get(namespace, {})}
    keepers: dict[_Pair, Json] = {
        pair: {"term": term.term, "pod": _path(there)}
        for node, there in _everywhere(world)
        for each in _required(there, "podAntiAffinity")
        if (term := term_of_existing(each, there)).selects(pod, namespaces)
        and (pair := _pair(term, node))
    }
    return _away_from(keepers, EXISTING_ANTI_AFFINITY)


def _away_from(pairs: dict[_Pair, Json], reason: str) -> Filter:
    def reject(node: Json) -> Rejection | None:
        causes = [pairs[pair] for pair in labels_of(node).items() if pair in pairs]
        return Rejection(PLUGIN, [reason], causes) if causes else None

    return reject


def _required(pod: Json, kind: str) -> list[Json]:
    return affinity_of(pod, kind).get(REQUIRED) or []


def _everywhere(world: World) -> Iterator[tuple[Json, Json]]:
    """Yield every pod that is on a node, after the node."""
    for node in world.nodes:
        for there in world.pods[name_of(node)]:
            yield node, there


def _pair(term: PodTerm, node: Json) -> _Pair | None:
    value = labels_of(node).get(term.topology_key)
    return None if value is None else (term.topology_key, value)


def _path(pod: Json) -> str:
    return f"{namespace_of(pod)}/{name_of(pod)}"
