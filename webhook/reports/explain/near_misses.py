"""Why a term matches nothing: what is nearly what it asks for."""

from collections import Counter
from collections.abc import Iterable
from difflib import get_close_matches

from webhook.kube.messages import did_you_mean
from webhook.kube.objects import Json, labels_of, name_of, namespace_of
from webhook.kube.scheduler.pod_terms import AffinityTerm, incoming_affinity_term
from webhook.kube.scheduler.selectors import expression_matches, node_selector_term_matches
from webhook.kube.scheduler.snapshot import Snapshot
from webhook.reports.explain.context import Case

_SHOWN = 3
_ALIKE = 0.8
"""How alike a key is to be that is suggested: label keys share much that means nothing."""


def of_pod_term(term: Json, pod: Json, case: Case) -> str:
    """Say why no node is near a pod that a term of `pod` is about; nothing where one is."""
    snapshot, asked = case.snapshot, incoming_affinity_term(term, pod)
    there = [(node, each) for node in snapshot.nodes for each in snapshot.pods[name_of(node)]]
    meant = [(node, each) for node, each in there if asked.matches_labels(each)]
    if near := [node for node, each in meant if asked.matches(each, snapshot.namespaces)]:
        if any(asked.topology_key in labels_of(node) for node in near):
            return ""
        return _no_label(asked.topology_key, snapshot, "of the nodes of these pods none has")
    if meant:
        places = _places(each for _, each in meant)
        return (
            f"pods with these labels are elsewhere ({places}): "
            f"it looks {_looks(asked, pod, snapshot)}"
        )
    if waiting := [each for each in snapshot.waiting if asked.matches_labels(each)]:
        return f"pods with these labels are on no node yet ({_places(waiting)})"
    where = "in any namespace" if case.all_pods else "of those that can be read"
    return f"no pod has these labels {where}{_nearest_label(term, there)}"


def of_node_terms(terms: Iterable[Json], snapshot: Snapshot) -> str:
    """Say why no node meets a list of node selector terms; nothing where one does."""
    terms = list(terms)
    if any(node_selector_term_matches(term, node) for term in terms for node in snapshot.nodes):
        return ""
    for term in terms:
        for expression in term.get("matchExpressions") or ():
            if not any(expression_matches(expression, labels_of(node)) for node in snapshot.nodes):
                return of_label(expression["key"], snapshot)
    return "no node meets all of it at once"


def of_label(key: str, snapshot: Snapshot) -> str:
    """Say which values a label has on the nodes."""
    counts = values_of(key, snapshot.nodes)
    if not counts:
        return _no_label(key, snapshot, "no node has")
    shown = [f"'{value}' on {_nodes(count)}" for value, count in counts.most_common(_SHOWN)]
    more = f" and {len(counts) - _SHOWN} other values" if len(counts) > _SHOWN else ""
    return f"the label {key} is {', '.join(shown)}{more}"


def values_of(key: str, nodes: Iterable[Json]) -> Counter[str]:
    """Return the values of a label, and how many nodes have each."""
    return Counter(labels_of(node)[key] for node in nodes if key in labels_of(node))


def _no_label(key: str, snapshot: Snapshot, whose: str) -> str:
    keys = {each for node in snapshot.nodes for each in labels_of(node)}
    close = get_close_matches(key, sorted(keys - {key}), n=1, cutoff=_ALIKE)
    return f"{whose} the label {key}" + (f"; did you mean '{close[0]}'?" if close else "")


def _places(pods: Iterable[Json]) -> str:
    counts = Counter(map(namespace_of, pods)).most_common(_SHOWN)
    return ", ".join(f"{count} in namespace {namespace}" for namespace, count in counts)


def _looks(asked: AffinityTerm, pod: Json, snapshot: Snapshot) -> str:
    if asked.term.get("namespaceSelector") is not None:
        known = bool(snapshot.namespaces)
        return f"into namespaces with {'other labels' if known else 'labels that cannot be read'}"
    if asked.namespaces == {namespace_of(pod)}:
        return f"into its own namespace only, {namespace_of(pod)}"
    return f"into {', '.join(sorted(asked.namespaces))} only"


def _nearest_label(term: Json, there: list[tuple[Json, Json]]) -> str:
    """Return the values of a label that is asked for, as a suggestion."""
    for key, value in ((term.get("labelSelector") or {}).get("matchLabels") or {}).items():
        labels = {f"{key}={labels_of(pod)[key]}" for _, pod in there if key in labels_of(pod)}
        if f"{key}={value}" not in labels:
            return did_you_mean(f"{key}={value}", sorted(labels))
    return ""


def _nodes(count: int) -> str:
    return f"{count} node{'s' if count != 1 else ''}"
