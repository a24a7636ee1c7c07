"""Reasons why a term matches nothing, with the labels or namespaces that come closest."""

from collections import Counter
from collections.abc import Iterable
from difflib import get_close_matches

from webhook.kube.messages import did_you_mean, format_count
from webhook.kube.objects import Json, labels_of, name_of, namespace_of
from webhook.kube.pod_terms import AffinityTerm, resolve_incoming_term
from webhook.kube.scheduler.snapshot import Snapshot
from webhook.kube.selectors import expression_matches, node_selector_term_matches
from webhook.reports.explain.context import ExplainContext

_MAX_VALUES = 3
_MIN_SIMILARITY = 0.8
"""For a suggested label key: keys have prefixes in common."""


def diagnose_pod_term(term: Json, pod: Json, context: ExplainContext) -> str:
    """Return why no node is near the pods that a term of `pod` selects; empty if one is."""
    snapshot, affinity_term = context.snapshot, resolve_incoming_term(term, pod)
    topology_key = affinity_term.topology_key
    bound = [(node, each) for node in snapshot.nodes for each in snapshot.pods[name_of(node)]]
    labelled = [(node, each) for node, each in bound if affinity_term.matches_labels(each)]
    if near := [
        node for node, each in labelled if affinity_term.matches(each, snapshot.namespaces)
    ]:
        if any(topology_key in labels_of(node) for node in near):
            return ""
        return f"none of these pods' nodes has {_describe_key(topology_key, snapshot)}"
    if labelled:
        return (
            "pods with these labels are in other namespaces "
            f"({_count_by_namespace(each for _, each in labelled)}): "
            f"the rule selects {_describe_namespaces(affinity_term, pod, snapshot)}"
        )
    if pending := [each for each in snapshot.waiting if affinity_term.matches_labels(each)]:
        return f"pods with these labels are not scheduled yet ({_count_by_namespace(pending)})"
    if context.all_pods:
        return f"no pod of any namespace has these labels{_suggest_label(term, bound)}"
    return f"no pod that can be read has these labels{_suggest_label(term, bound)}"


def diagnose_node_terms(terms: Iterable[Json], snapshot: Snapshot) -> str:
    """Return why no node matches a list of node selector terms; empty if one does."""
    terms = list(terms)
    if any(node_selector_term_matches(term, node) for term in terms for node in snapshot.nodes):
        return ""
    for term in terms:
        for expression in term.get("matchExpressions") or ():
            if not any(expression_matches(expression, labels_of(node)) for node in snapshot.nodes):
                return describe_label(expression["key"], snapshot)
    return "no node matches all expressions at once"


def describe_label(key: str, snapshot: Snapshot) -> str:
    """Return which values a label has on the nodes."""
    counts = count_values(key, snapshot.nodes)
    if not counts:
        return f"no node has {_describe_key(key, snapshot)}"
    values = [
        f"'{value}' on {format_count(count, 'node')}"
        for value, count in counts.most_common(_MAX_VALUES)
    ]
    more = f" and {len(counts) - _MAX_VALUES} other values" if len(counts) > _MAX_VALUES else ""
    return f"the label {key} is {', '.join(values)}{more}"


def count_values(key: str, nodes: Iterable[Json]) -> Counter[str]:
    """Return the values of a label, and the number of nodes with each."""
    return Counter(labels_of(node)[key] for node in nodes if key in labels_of(node))


def _describe_key(key: str, snapshot: Snapshot) -> str:
    """Return `the label KEY`, with a suggestion if the nodes have a similar one."""
    keys = {each for node in snapshot.nodes for each in labels_of(node)}
    close = get_close_matches(key, sorted(keys - {key}), n=1, cutoff=_MIN_SIMILARITY)
    return f"the label {key}" + (f"; did you mean '{close[0]}'?" if close else "")


def _count_by_namespace(pods: Iterable[Json]) -> str:
    counts = Counter(map(namespace_of, pods)).most_common(_MAX_VALUES)
    return ", ".join(f"{count} in namespace {namespace}" for namespace, count in counts)


def _describe_namespaces(affinity_term: AffinityTerm, pod: Json, snapshot: Snapshot) -> str:
    if affinity_term.term.get("namespaceSelector") is not None:
        known = bool(snapshot.namespaces)
        return f"namespaces by {'other labels' if known else 'labels that cannot be read'}"
    if affinity_term.namespaces == {namespace_of(pod)}:
        return f"the pod's own namespace {namespace_of(pod)} only"
    return f"namespaces {', '.join(sorted(affinity_term.namespaces))} only"


def _suggest_label(term: Json, bound: list[tuple[Json, Json]]) -> str:
    """Return a suggestion for the first label of a term that no pod has."""
    for key, value in ((term.get("labelSelector") or {}).get("matchLabels") or {}).items():
        labels = {f"{key}={labels_of(pod)[key]}" for _, pod in bound if key in labels_of(pod)}
        if f"{key}={value}" not in labels:
            return did_you_mean(f"{key}={value}", sorted(labels))
    return ""
