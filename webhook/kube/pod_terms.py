"""The pods that a podAffinityTerm matches.

Follows `framework.AffinityTerm` of kube-scheduler. A term with neither `namespaces` nor
`namespaceSelector` matches pods in the namespace of the pod that has it. The API server has added
`matchLabelKeys` to the term's `labelSelector` (`webhook.kube.defaulting`).
"""

from collections.abc import Mapping
from typing import NamedTuple

from webhook.kube.objects import Json, labels_of, namespace_of
from webhook.kube.selectors import Labels, label_selector_matches

NamespaceLabels = Mapping[str, Labels]


class AffinityTerm(NamedTuple):
    """A term with its namespaces resolved."""

    term: Json
    namespaces: frozenset[str]
    """Namespaces by name."""
    all_namespaces: bool
    """Matches every namespace, whatever its labels."""

    @property
    def topology_key(self) -> str:
        key: str = self.term["topologyKey"]
        return key

    def matches(self, pod: Json, namespace_labels: NamespaceLabels) -> bool:
        """Return whether the term matches a pod, given the labels of each existing namespace."""
        return self.matches_labels(pod) and self._matches_namespace(
            namespace_of(pod), namespace_labels
        )

    def matches_labels(self, pod: Json) -> bool:
        """Return whether the labelSelector matches a pod, in whatever namespace it is."""
        return label_selector_matches(self.term.get("labelSelector"), labels_of(pod))

    def _matches_namespace(self, namespace: str, namespace_labels: NamespaceLabels) -> bool:
        if self.all_namespaces or namespace in self.namespaces:
            return True
        labels = namespace_labels.get(namespace)
        selector = self.term.get("namespaceSelector")
        return labels is not None and label_selector_matches(selector, labels)


def resolve_incoming_term(term: Json, pod: Json) -> AffinityTerm:
    """Resolve a term of the pod that is to be scheduled.

    kube-scheduler 1.34 to 1.36 resolves the `namespaceSelector` to names of namespaces, but keeps
    the selector and later matches it against no labels. So a selector that a namespace without
    labels meets, such as `team DoesNotExist`, matches every namespace.
    """
    all_namespaces = label_selector_matches(term.get("namespaceSelector"), {})
    return AffinityTerm(term, _resolve_namespaces(term, pod), all_namespaces)


def resolve_existing_term(term: Json, pod: Json) -> AffinityTerm:
    """Resolve a term of a pod that is bound to a node."""
    return AffinityTerm(term, _resolve_namespaces(term, pod), all_namespaces=False)


def _resolve_namespaces(term: Json, pod: Json) -> frozenset[str]:
    names = term.get("namespaces") or []
    own_only = not names and term.get("namespaceSelector") is None
    return frozenset([namespace_of(pod)] if own_only else names)
