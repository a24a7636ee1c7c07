"""Which pods a podAffinityTerm is about.

After `framework.AffinityTerm` of kube-scheduler. A term without `namespaces` and without
`namespaceSelector` is about the namespace of the pod that has it; the API server has put
`matchLabelKeys` into the term's `labelSelector` (`webhook.scheduling.admitted`).
"""

from collections.abc import Mapping
from typing import NamedTuple

from webhook.model import Json
from webhook.scheduling.objects import labels_of, namespace_of
from webhook.scheduling.selectors import Labels, is_empty, selects

Namespaces = Mapping[str, Labels]


class PodTerm(NamedTuple):
    """A term of a pod."""

    term: Json
    namespaces: frozenset[str]
    """By name."""

    @property
    def topology_key(self) -> str:
        key: str = self.term["topologyKey"]
        return key

    def selects(self, pod: Json, namespaces: Namespaces) -> bool:
        """Whether the term is about a pod; `namespaces` has the labels of each that exists."""
        return self.looks_into(namespace_of(pod), namespaces) and self.selects_labels(pod)

    def looks_into(self, namespace: str, namespaces: Namespaces) -> bool:
        """Whether the term is about pods in a namespace."""
        selector = self.term.get("namespaceSelector")
        if namespace in self.namespaces or selector is None:
            return namespace in self.namespaces
        known = namespaces.get(namespace)
        return is_empty(selector) or (known is not None and selects(selector, known))

    def selects_labels(self, pod: Json) -> bool:
        """Whether the term is about pods with such labels, in whatever namespace."""
        return selects(self.term.get("labelSelector"), labels_of(pod))


def pod_term(term: Json, owner: Json) -> PodTerm:
    """Read a term of the pod `owner`."""
    names = term.get("namespaces") or []
    if not names and term.get("namespaceSelector") is None:
        names = [namespace_of(owner)]
    return PodTerm(term, frozenset(names))
