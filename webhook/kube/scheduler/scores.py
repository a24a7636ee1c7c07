"""Node scores from the pod's preferred affinity terms."""

from collections import Counter

from webhook.kube.affinity import PREFERRED
from webhook.kube.objects import Json, affinity_of, labels_of, name_of
from webhook.kube.pod_terms import resolve_incoming_term
from webhook.kube.scheduler.snapshot import Snapshot
from webhook.kube.selectors import node_selector_term_matches

_SIGNS = {"podAffinity": 1, "podAntiAffinity": -1}


def score(pod: Json, snapshot: Snapshot) -> dict[str, int]:
    """Return the sum of the matching terms' weights for each node; more is better.

    A pod term counts once for each pod that it matches. kube-scheduler also normalizes these
    scores, and adds those of free resources, images and existing pods' preferences.
    """
    preferred = affinity_of(pod, "nodeAffinity").get(PREFERRED) or []
    by_topology = _score_pod_terms(pod, snapshot)
    return {
        name_of(node): sum(by_topology[pair] for pair in labels_of(node).items())
        + sum(
            each["weight"]
            for each in preferred
            if node_selector_term_matches(each.get("preference") or {}, node)
        )
        for node in snapshot.nodes
    }


def _score_pod_terms(pod: Json, snapshot: Snapshot) -> Counter[tuple[str, str]]:
    """Return the score of each pair of a topology key and its value."""
    scores: Counter[tuple[str, str]] = Counter()
    terms = [
        (resolve_incoming_term(weighted["podAffinityTerm"], pod), sign * weighted["weight"])
        for kind, sign in _SIGNS.items()
        for weighted in affinity_of(pod, kind).get(PREFERRED) or ()
    ]
    for node in snapshot.nodes:
        labels = labels_of(node)
        for term, weight in terms:
            if (value := labels.get(term.topology_key)) is not None:
                existing = snapshot.pods[name_of(node)]
                count = sum(term.matches(each, snapshot.namespaces) for each in existing)
                scores[term.topology_key, value] += weight * count
    return scores
