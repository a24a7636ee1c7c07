"""What the pod's own preferences say of the nodes."""

from collections import Counter

from webhook.kube.affinity import PREFERRED
from webhook.kube.objects import Json, affinity_of, labels_of, name_of
from webhook.kube.scheduler.pod_terms import term_of_incoming
from webhook.kube.scheduler.selectors import selects_node
from webhook.kube.scheduler.snapshot import World

_SIGNS = {"podAffinity": 1, "podAntiAffinity": -1}


def points(pod: Json, world: World) -> dict[str, int]:
    """Return for each node the weights that it earns: more is better.

    Of a term on pods the weight counts once for each pod. The scheduler scales what nodes and
    what pods earn, and weighs in free room, images and the wishes of the pods that are there.
    """
    preferred = affinity_of(pod, "nodeAffinity").get(PREFERRED) or []
    by_topology = _pod_points(pod, world)
    return {
        name_of(node): sum(by_topology[pair] for pair in labels_of(node).items())
        + sum(each["weight"] for each in preferred if selects_node(each["preference"], node))
        for node in world.nodes
    }


def _pod_points(pod: Json, world: World) -> Counter[tuple[str, str]]:
    """Return the points of every pair of a topology key and its value."""
    earned: Counter[tuple[str, str]] = Counter()
    terms = [
        (term_of_incoming(weighted["podAffinityTerm"], pod), sign * weighted["weight"])
        for kind, sign in _SIGNS.items()
        for weighted in affinity_of(pod, kind).get(PREFERRED) or ()
    ]
    for node in world.nodes:
        labels = labels_of(node)
        for term, weight in terms:
            if (value := labels.get(term.topology_key)) is not None:
                there = world.pods[name_of(node)]
                count = sum(term.selects(each, world.namespaces) for each in there)
                earned[term.topology_key, value] += weight * count
    return earned
