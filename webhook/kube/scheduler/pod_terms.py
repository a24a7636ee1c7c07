"""Which pods a podAffinityTerm is about.

After `framework.AffinityTerm` of kube-scheduler. A term without `namespaces` and without
`namespaceSelector` is about the namespace of the pod that has it; the API server has put
`matchLabelKeys` into the term's `labelSelector` (`webhook.kube.scheduler.defaulting`).
"""

from collections.abc import Mapping
from typing import NamedTuple

from webhook.kube.objects import Json, labels_of, namespace_of
from webhook.kube.scheduler.selectors import Labels, selects

Namespaces = Mapping[str, Labels]


class PodTerm(NamedTuple):
    """A term of a pod."""

    term: Json
    names: frozenset[str]
    """Namespaces that it names."""
    anywhere: bool
    """Whether it is about pods in every namespace, whatever their labels."""

    @property
    def topology_key(self) -> str:
        key: str = self.term["topologyKey"]
        return key

    def selects(self, pod: Json, namespaces: Namespaces) -> bool:
        """Whether the term is about a pod; `namespaces` has the labels of each that exists."""
        return self.selects_labels(pod) and self.looks_into(namespace_of(pod), namespaces)

    def looks_into(self, namespace: str, namespaces: Namespaces) -> bool:
        """Whether the term is about pods in a namespace."""
        if self.anywhere or namespace in self.names:
            return True
        labels = namespaces.get(namespace)
        return labels is not None and selects(self.term.get("namespaceSelector"), labels)

    def selects_labels(self, pod: Json) -> bool:
        """Whether the term is about pods with such labels, in whatever namespace."""
        return selects(self.term.get("labelSelector"), labels_of(pod))


def term_of_incoming(term: Json, pod: Json) -> PodTerm:
    """Read a term of the pod that is to be scheduled.

    kube-scheduler 1.34 to 1.36 looks into every namespace where the `namespaceSelector` is one
    that a namespace without labels would meet, such as `team DoesNotExist`: a list of the
    namespaces that it selects is made, and the selector is forgotten to be taken away.
    """
    return PodTerm(term, _names(term, pod), selects(term.get("namespaceSelector"), {}))


def term_of_existing(term: Json, pod: Json) -> PodTerm:
    """Read a term of a pod that is on a node."""
    return PodTerm(term, _names(term, pod), anywhere=False)


def _names(term: Json, pod: Json) -> frozenset[str]:
    names = term.get("namespaces") or []
    own = not names and term.get("namespaceSelector") is None
    return frozenset([namespace_of(pod)] if own else names)
