"""NodeAffinity: the pod's node selector and its required node affinity."""

from webhook.kube.affinity import REQUIRED
from webhook.kube.objects import Json, affinity_of, labels_of, name_of, spec_of
from webhook.kube.scheduler.plugin import Filter, Rejection
from webhook.kube.scheduler.selectors import selects_node
from webhook.kube.scheduler.snapshot import World

PLUGIN = "NodeAffinity"

_REASONS = ["node(s) didn't match Pod's node affinity/selector"]
_CONFLICT = Rejection(PLUGIN, ["pod affinity terms conflict"])
_OTHER_NODES = Rejection(PLUGIN, ["node(s) didn't satisfy plugin(s) [NodeAffinity]"])


def named_nodes(pod: Json, _world: World) -> Filter:
    """Reject the nodes that a pod does not name which names its nodes in every term.

    The scheduler does not look at those at all, whatever else is to be said of them.
    """
    names = _names(_terms(pod) or [])

    def reject(node: Json) -> Rejection | None:
        if names is None or name_of(node) in names:
            return None
        return _OTHER_NODES if names else _CONFLICT

    return reject


def node_affinity(pod: Json, _world: World) -> Filter:
    """Reject by the labels of nodes.

    The causes are `{"nodeSelector": {key: value}}` for each label that is missing, and
    `{"nodeSelectorTerms": […]}` where none of the pod's terms is met.
    """
    selector: dict[str, str] = spec_of(pod).get("nodeSelector") or {}
    terms = _terms(pod)

    def reject(node: Json) -> Rejection | None:
        labels = labels_of(node)
        causes: list[Json] = [
            {"nodeSelector": {key: value}}
            for key, value in selector.items()
            if labels.get(key) != value
        ]
        if terms is not None and not any(selects_node(term, node) for term in terms):
            causes.append({"nodeSelectorTerms": terms})
        return Rejection(PLUGIN, _REASONS, causes) if causes else None

    return reject


def _terms(pod: Json) -> list[Json] | None:
    required = affinity_of(pod, "nodeAffinity").get(REQUIRED)
    return None if required is None else required.get("nodeSelectorTerms") or []


def _names(terms: list[Json]) -> set[str] | None:
    """Return the nodes that the terms name; None where one of them names none."""
    names: set[str] = set()
    for term in terms:
        named = [
            set(field.get("values") or ())
            for field in term.get("matchFields") or ()
            if field["key"] == "metadata.name" and field["operator"] == "In"
        ]
        if not named:
            return None
        names |= set.intersection(*named)
    return names if terms else None
