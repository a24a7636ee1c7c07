"""Detection of required terms that the API server accepts, but that match nothing."""

from collections.abc import Iterator

from webhook.kube.affinity import REQUIRED
from webhook.kube.affinity_fields import FieldError
from webhook.kube.objects import Json


def unsatisfiable_terms(affinity: Json) -> Iterator[FieldError]:
    """Yield the required terms of a valid affinity that would leave every pod pending.

    An empty node selector term matches no node, and a pod term without a labelSelector matches no
    pod. An empty labelSelector matches all pods.
    """
    terms = ((affinity.get("nodeAffinity") or {}).get(REQUIRED) or {}).get("nodeSelectorTerms")
    if terms and not any(t.get("matchExpressions") or t.get("matchFields") for t in terms):
        path = f".nodeAffinity.{REQUIRED}.nodeSelectorTerms"
        yield FieldError(path, "an empty term matches no node, and there is no other")
    for index, term in enumerate((affinity.get("podAffinity") or {}).get(REQUIRED) or ()):
        if term.get("labelSelector") is None:
            path = f".podAffinity.{REQUIRED}[{index}].labelSelector"
            yield FieldError(path, "is missing, and without it no pod matches; {} matches all")
