"""Why a term matches nothing: what is nearly what it asks for."""

from collections import Counter
from collections.abc import Iterable

from kube.words import did_you_mean
from webhook.model import Json
from webhook.scheduling.objects import labels_of, name_of, namespace_of
from webhook.scheduling.pod_terms import PodTerm, term_of_incoming
from webhook.scheduling.selectors import selects
from webhook.scheduling.world import World

_SHOWN = 3


def of_pod_term(term: Json, pod: Json, world: World) -> str:
    """Say why no node is near a pod that a term of `pod` is about."""
    asked = term_of_incoming(term, pod)
    there = [each for node in world.nodes for each in world.pods[name_of(node)]]
    meant = [each for each in there if asked.selects_labels(each)]
    if any(asked.selects(each, world.namespaces) for each in meant):
        return no_topology(asked.topology_key, world, "of the nodes of these pods none has")
    if meant:
        return f"{_places(meant)}, and the rule looks {_looks(asked, pod)}"
    if waiting := [each for each in world.waiting if asked.selects_labels(each)]:
        return f"no pod that runs has these labels; {_places(waiting)}, and on no node yet"
    return f"no pod has these labels in any namespace{_nearest_label(term, there)}"


def of_node_terms(terms: Iterable[Json], world: World) -> str:
    """Say why no node meets a list of node selector terms."""
    for term in terms:
        for expression in term.get("matchExpressions") or ():
            if not any(
                selects({"matchExpressions": [expression]}, labels_of(node)) for node in world.nodes
            ):
                return of_label(expression["key"], world)
    return "no node meets all of it at once"


def of_label(key: str, world: World) -> str:
    """Say which values a label has on the nodes."""
    counts = values_of(key, world)
    if not counts:
        return no_topology(key, world, "no node has")
    shown = [f"'{value}' on {_nodes(count)}" for value, count in counts.most_common(_SHOWN)]
    more = f" and {len(counts) - _SHOWN} other values" if len(counts) > _SHOWN else ""
    return f"the label {key} is {', '.join(shown)}{more}"


def values_of(key: str, world: World) -> Counter[str]:
    """Return the values of a label, and how many nodes have each."""
    return Counter(labels_of(node)[key] for node in world.nodes if key in labels_of(node))


def no_topology(key: str, world: World, whose: str) -> str:
    keys = {each for node in world.nodes for each in labels_of(node)}
    return f"{whose} the label {key}{did_you_mean(key, sorted(keys - {key}))}"


def _places(pods: list[Json]) -> str:
    counts = Counter(map(namespace_of, pods)).most_common(_SHOWN)
    shown = [f"{count} in namespace {namespace}" for namespace, count in counts]
    return f"pods with these labels are there, {', '.join(shown)}"


def _looks(asked: PodTerm, pod: Json) -> str:
    if asked.term.get("namespaceSelector") is not None:
        return "into namespaces with other labels"
    if asked.names == {namespace_of(pod)}:
        return f"into its own namespace only, {namespace_of(pod)}"
    return f"into {', '.join(sorted(asked.names))} only"


def _nearest_label(term: Json, pods: list[Json]) -> str:
    """Return the values of a label that is asked for, as a suggestion."""
    for key, value in ((term.get("labelSelector") or {}).get("matchLabels") or {}).items():
        labels = {f"{key}={labels_of(pod)[key]}" for pod in pods if key in labels_of(pod)}
        if f"{key}={value}" not in labels:
            return did_you_mean(f"{key}={value}", sorted(labels))
    return ""


def _nodes(count: int) -> str:
    return f"{count} node{'s' if count != 1 else ''}"
