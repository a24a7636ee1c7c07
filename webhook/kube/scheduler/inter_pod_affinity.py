"""InterPodAffinity: the required pod terms of the incoming pod and of existing pods.

Follows `filtering.go` of the plugin in kube-scheduler. A topology pair, a key and a value, is the
set of nodes with that label.
"""

from collections.abc import Iterator

from webhook.kube.affinity import REQUIRED
from webhook.kube.objects import Json, affinity_of, labels_of, name_of, namespace_of
from webhook.kube.pod_terms import AffinityTerm, resolve_existing_term, resolve_incoming_term
from webhook.kube.scheduler.plugin import Filter, Rejection
from webhook.kube.scheduler.snapshot import Snapshot

PLUGIN = "InterPodAffinity"

AFFINITY = "node(s) didn't match pod affinity rules"
ANTI_AFFINITY = "node(s) didn't match pod anti-affinity rules"
EXISTING_ANTI_AFFINITY = "node(s) didn't satisfy existing pods anti-affinity rules"

_TopologyPair = tuple[str, str]


def pod_affinity(pod: Json, snapshot: Snapshot) -> Filter:
    """Reject nodes where the pod's required podAffinity is not met; the causes are `{"term"}`.

    Only a pod that matches all terms counts. If there is none in the cluster and the incoming pod
    itself matches them, it is the first pod of a group: any node with the topology keys fits.
    """
    terms = [resolve_incoming_term(term, pod) for term in _get_required_terms(pod, "podAffinity")]
    matching_pairs = {
        pair
        for node, existing in _list_existing_pods(snapshot)
        if all(term.matches(existing, snapshot.namespaces) for term in terms)
        for term in terms
        if (pair := _get_topology_pair(term, node))
    }
    first_of_group = not matching_pairs and all(
        term.matches(pod, snapshot.namespaces) for term in terms
    )

    def is_met(term: AffinityTerm, node: Json) -> bool:
        pair = _get_topology_pair(term, node)
        return pair is not None and (pair in matching_pairs or first_of_group)

    def reject(node: Json) -> Rejection | None:
        causes: list[Json] = [{"term": term.term} for term in terms if not is_met(term, node)]
        return Rejection(PLUGIN, [AFFINITY], causes) if causes else None

    return reject


def pod_anti_affinity(pod: Json, snapshot: Snapshot) -> Filter:
    """Reject nodes by the pod's required podAntiAffinity; the causes are `{"term", "pod"}`."""
    terms = [
        resolve_incoming_term(term, pod) for term in _get_required_terms(pod, "podAntiAffinity")
    ]
    causes: dict[_TopologyPair, Json] = {
        pair: {"term": term.term, "pod": _format_namespaced_name(existing)}
        for node, existing in _list_existing_pods(snapshot)
        for term in terms
        if term.matches(existing, snapshot.namespaces) and (pair := _get_topology_pair(term, node))
    }
    return _reject_pairs(causes, ANTI_AFFINITY)


def existing_anti_affinity(pod: Json, snapshot: Snapshot) -> Filter:
    """Reject nodes by existing pods' required podAntiAffinity; the causes are `{"term", "pod"}`."""
    namespace = namespace_of(pod)
    # kube-scheduler treats a namespace that does not exist as one without labels, but only here
    namespaces = {namespace: snapshot.namespaces.get(namespace, {})}
    causes: dict[_TopologyPair, Json] = {
        pair: {"term": term.term, "pod": _format_namespaced_name(existing)}
        for node, existing in _list_existing_pods(snapshot)
        for each in _get_required_terms(existing, "podAntiAffinity")
        if (term := resolve_existing_term(each, existing)).matches(pod, namespaces)
        and (pair := _get_topology_pair(term, node))
    }
    return _reject_pairs(causes, EXISTING_ANTI_AFFINITY)


def _reject_pairs(causes_by_pair: dict[_TopologyPair, Json], reason: str) -> Filter:
    def reject(node: Json) -> Rejection | None:
        pairs = labels_of(node).items()
        causes = [causes_by_pair[pair] for pair in pairs if pair in causes_by_pair]
        return Rejection(PLUGIN, [reason], causes) if causes else None

    return reject


def _get_required_terms(pod: Json, kind: str) -> list[Json]:
    return affinity_of(pod, kind).get(REQUIRED) or []


def _list_existing_pods(snapshot: Snapshot) -> Iterator[tuple[Json, Json]]:
    """Yield every pod that is bound to a node, after its node."""
    for node in snapshot.nodes:
        for existing in snapshot.pods[name_of(node)]:
            yield node, existing


def _get_topology_pair(term: AffinityTerm, node: Json) -> _TopologyPair | None:
    value = labels_of(node).get(term.topology_key)
    return None if value is None else (term.topology_key, value)


def _format_namespaced_name(pod: Json) -> str:
    return f"{namespace_of(pod)}/{name_of(pod)}"
