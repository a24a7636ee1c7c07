"""PodTopologySpread: the hard topology spread constraints of the incoming pod.

Follows `filtering.go` of the plugin in kube-scheduler. A topology pair, a key and a value, is the
set of nodes with that label.
"""

from collections import Counter
from typing import Any, NamedTuple

from webhook.kube.objects import Json, labels_of, metadata_of, name_of, namespace_of, spec_of
from webhook.kube.scheduler.node_affinity import node_affinity
from webhook.kube.scheduler.plugin import Filter, Rejection
from webhook.kube.scheduler.snapshot import Snapshot
from webhook.kube.scheduler.taint_toleration import taint_toleration
from webhook.kube.selectors import label_selector_matches

PLUGIN = "PodTopologySpread"

SKEW = "node(s) didn't match pod topology spread constraints"
NO_LABEL = f"{SKEW} (missing required label)"


class _Constraint(NamedTuple):
    constraint: Json
    key: str
    max_skew: int
    self_match: int
    """1 if the pod itself counts, else 0."""
    counts: Counter[str]
    """The matching pods of each value that a node has; every such value is there."""
    smallest: int

    def skew(self, value: str) -> int:
        return self.counts[value] + self.self_match - self.smallest


def pod_topology_spread(pod: Json, snapshot: Snapshot) -> Filter:
    """Reject nodes by the hard constraints of a pod; the causes are `{"constraint", …}`.

    They also have the number of `matching` pods in the node's topology, and the `smallest` number
    in any; for a node without the label of a constraint they have the constraint alone.
    """
    hard: list[Json] = [
        each
        for each in spec_of(pod).get("topologySpreadConstraints") or ()
        if each.get("whenUnsatisfiable") == "DoNotSchedule"
    ]
    constraints = [_count(each, hard, pod, snapshot) for each in hard]

    def reject(node: Json) -> Rejection | None:
        labels = labels_of(node)
        for each in constraints:
            value = labels.get(each.key)
            if value is None:
                return Rejection(PLUGIN, [NO_LABEL], [{"constraint": each.constraint}])
            if each.skew(value) > each.max_skew:
                cause: dict[str, Any] = {
                    "constraint": each.constraint,
                    "matching": each.counts[value],
                    "smallest": each.smallest,
                }
                return Rejection(PLUGIN, [SKEW], [cause])
        return None

    return reject


def _count(constraint: Json, hard: list[Json], pod: Json, snapshot: Snapshot) -> _Constraint:
    key = constraint["topologyKey"]
    keys = [each["topologyKey"] for each in hard]
    selector = _selector_of(constraint, pod)
    affinity, taints = node_affinity(pod, snapshot), taint_toleration(pod, snapshot)
    ignores_affinity = constraint.get("nodeAffinityPolicy") == "Ignore"
    honors_taints = constraint.get("nodeTaintsPolicy") == "Honor"
    counts: Counter[str] = Counter()
    for node in snapshot.nodes:
        labels = labels_of(node)
        if not all(each in labels for each in keys):
            continue
        if not ignores_affinity and affinity(node):
            continue
        if honors_taints and taints(node):
            continue
        counts[labels[key]] += sum(
            _counts(existing, pod, selector) for existing in snapshot.pods[name_of(node)]
        )
    few = len(counts) < (constraint.get("minDomains") or 1)
    smallest = 0 if few else min(counts.values(), default=0)
    matches_itself = label_selector_matches(selector, labels_of(pod))
    return _Constraint(
        constraint, key, constraint["maxSkew"], int(matches_itself), counts, smallest
    )


def _counts(existing: Json, pod: Json, selector: Json | None) -> bool:
    return (
        bool(selector)  # kube-scheduler counts no pods for an empty one
        and namespace_of(existing) == namespace_of(pod)
        and not metadata_of(existing).get("deletionTimestamp")
        and label_selector_matches(selector, labels_of(existing))
    )


def _selector_of(constraint: Json, pod: Json) -> Json | None:
    """Return the selector with `matchLabelKeys`, for which the values are those of the pod."""
    selector: Json | None = constraint.get("labelSelector")
    labels = labels_of(pod)
    extra = [
        {"key": key, "operator": "In", "values": [labels[key]]}
        for key in constraint.get("matchLabelKeys") or ()
        if key in labels
    ]
    if selector is None or not extra:
        return selector
    return selector | {"matchExpressions": [*(selector.get("matchExpressions") or ()), *extra]}
