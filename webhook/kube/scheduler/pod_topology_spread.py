"""PodTopologySpread: the pod's constraints with `whenUnsatisfiable: DoNotSchedule`.

Follows `filtering.go` of the plugin in kube-scheduler. A domain is the set of nodes with the same
value of the topology key. The numbers of matching pods are compared among the nodes that the pod
could use: with the labels of all constraints, and for each constraint by its two policies.
"""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from webhook.kube.objects import Json, labels_of, metadata_of, name_of, namespace_of, spec_of
from webhook.kube.scheduler.node_affinity import node_affinity
from webhook.kube.scheduler.plugin import Filter, Rejection
from webhook.kube.scheduler.snapshot import Snapshot
from webhook.kube.scheduler.taint_toleration import taint_toleration
from webhook.kube.selectors import label_selector_matches, list_requirements

PLUGIN = "PodTopologySpread"

SKEWED = "node(s) didn't match pod topology spread constraints"
MISSING_LABEL = f"{SKEWED} (missing required label)"

_IGNORE, _HONOR = "Ignore", "Honor"


class _Domains(NamedTuple):
    """A constraint, and what the pods in its domains allow."""

    constraint: Json
    matching: Counter[str]
    """The number of matching pods by domain."""
    fewest: int
    """The least of these numbers; 0 if there are fewer domains than `minDomains`."""
    incoming: int
    """1 if the incoming pod matches too, else 0."""

    def reject(self, node: Json) -> tuple[str, Json] | None:
        """Return a reason and a cause if the pod does not fit, else None."""
        domain = labels_of(node).get(self.constraint["topologyKey"])
        if domain is None:
            return MISSING_LABEL, {"constraint": self.constraint}
        matching = self.matching[domain]
        if matching + self.incoming - self.fewest <= self.constraint["maxSkew"]:
            return None
        cause = {"domain": domain, "matching": matching, "fewest": self.fewest}
        return SKEWED, {"constraint": self.constraint} | cause


def pod_topology_spread(pod: Json, snapshot: Snapshot) -> Filter:
    """Reject nodes where the pod would be one too many.

    The causes are `{"constraint", "domain", "matching", "fewest"}`, or `{"constraint"}` for a node
    without the label of the topology. Pods that are being deleted do not count.
    """
    constraints = [
        each
        for each in spec_of(pod).get("topologySpreadConstraints") or ()
        if each["whenUnsatisfiable"] == "DoNotSchedule"
    ]
    nodes = [
        node
        for node in snapshot.nodes
        if all(each["topologyKey"] in labels_of(node) for each in constraints)
    ]
    counted = [_count(each, pod, nodes, snapshot) for each in constraints]

    def reject(node: Json) -> Rejection | None:
        found = [rejected for each in counted if (rejected := each.reject(node))]
        return Rejection(PLUGIN, [found[0][0]], [cause for _, cause in found]) if found else None

    return reject


def count_matching(
    constraint: Json, pod: Json, nodes: Iterable[Json], snapshot: Snapshot
) -> Counter[str]:
    """Return the number of existing pods in each domain that a constraint of the pod counts.

    `nodes` have the label of the topology; those that its policies leave out make no domain.
    """
    rejects_by_labels = node_affinity(pod, snapshot)
    rejects_by_taints = taint_toleration(pod, snapshot)
    ignores_labels = constraint.get("nodeAffinityPolicy") == _IGNORE
    ignores_taints = constraint.get("nodeTaintsPolicy") != _HONOR
    selector = _with_label_keys(constraint, pod)
    matching: Counter[str] = Counter()
    for node in nodes:
        if (ignores_labels or not rejects_by_labels(node)) and (
            ignores_taints or not rejects_by_taints(node)
        ):
            matching[labels_of(node)[constraint["topologyKey"]]] += sum(
                _matches(existing, selector, pod) for existing in snapshot.pods[name_of(node)]
            )
    return matching


def _count(constraint: Json, pod: Json, nodes: list[Json], snapshot: Snapshot) -> _Domains:
    matching = count_matching(constraint, pod, nodes, snapshot)
    enough_domains = len(matching) >= (constraint.get("minDomains") or 1)
    fewest = min(matching.values()) if enough_domains else 0
    incoming = label_selector_matches(_with_label_keys(constraint, pod), labels_of(pod))
    return _Domains(constraint, matching, fewest, int(incoming))


def _matches(existing: Json, selector: Json | None, pod: Json) -> bool:
    """Return whether an existing pod counts. For an empty selector none does in kube-scheduler."""
    return (
        any(list_requirements(selector or {}))
        and namespace_of(existing) == namespace_of(pod)
        and not metadata_of(existing).get("deletionTimestamp")
        and label_selector_matches(selector, labels_of(existing))
    )


def _with_label_keys(constraint: Json, pod: Json) -> Json | None:
    """Return the labelSelector with those of the `matchLabelKeys` that the pod has."""
    selector: Json | None = constraint.get("labelSelector")
    keys = [key for key in constraint.get("matchLabelKeys") or () if key in labels_of(pod)]
    if selector is None or not keys:
        return selector
    same = [{"key": key, "operator": "In", "values": [labels_of(pod)[key]]} for key in keys]
    return selector | {"matchExpressions": [*(selector.get("matchExpressions") or ()), *same]}
