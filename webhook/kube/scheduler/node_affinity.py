"""NodeAffinity: the pod's node selector and its required node affinity."""

from webhook.kube.affinity import REQUIRED
from webhook.kube.objects import Json, affinity_of, labels_of, name_of, spec_of
from webhook.kube.scheduler.plugin import Filter, Rejection
from webhook.kube.scheduler.snapshot import Snapshot
from webhook.kube.selectors import node_selector_term_matches

PLUGIN = "NodeAffinity"

_REASONS = ["node(s) didn't match Pod's node affinity/selector"]
_CONFLICT = Rejection(PLUGIN, ["pod affinity terms conflict"])
_OTHER_NODES = Rejection(PLUGIN, ["node(s) didn't satisfy plugin(s) [NodeAffinity]"])


def prefilter_node_names(pod: Json, _snapshot: Snapshot) -> Filter:
    """Reject the nodes that are not named, if every required term has a `metadata.name` field.

    The plugin's PreFilter extension point: no other filter runs for these nodes.
    """
    names = _find_node_names(_get_required_terms(pod) or [])

    def reject(node: Json) -> Rejection | None:
        if names is None or name_of(node) in names:
            return None
        return _OTHER_NODES if names else _CONFLICT

    return reject


def node_affinity(pod: Json, _snapshot: Snapshot) -> Filter:
    """Reject nodes by their labels.

    The causes are `{"nodeSelector": {key: value}}` for each label that does not match, and
    `{"nodeSelectorTerms": […]}` if no required term matches.
    """
    selector: dict[str, str] = spec_of(pod).get("nodeSelector") or {}
    terms = _get_required_terms(pod)

    def reject(node: Json) -> Rejection | None:
        labels = labels_of(node)
        causes: list[Json] = [
            {"nodeSelector": {key: value}}
            for key, value in selector.items()
            if labels.get(key) != value
        ]
        if terms is not None and not any(node_selector_term_matches(term, node) for term in terms):
            causes.append({"nodeSelectorTerms": terms})
        return Rejection(PLUGIN, _REASONS, causes) if causes else None

    return reject


def _get_required_terms(pod: Json) -> list[Json] | None:
    required = affinity_of(pod, "nodeAffinity").get(REQUIRED)
    return None if required is None else required.get("nodeSelectorTerms") or []


def _find_node_names(terms: list[Json]) -> set[str] | None:
    """Return the nodes that the terms name, or None if a term does not restrict the name."""
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
