"""Hard terms of an affinity object that nothing can ever meet, though an API server takes them."""

from collections.abc import Iterator

from webhook.kube.affinity import REQUIRED
from webhook.kube.affinity_fields import FieldError
from webhook.kube.objects import Json


def unsatisfiable_terms(affinity: Json) -> Iterator[FieldError]:
    """Yield what would leave every pod pending, in an affinity that is sound otherwise.

    An empty node selector term matches no node, and a pod term without a labelSelector no pod;
    an empty labelSelector matches them all.
    """
    terms = ((affinity.get("nodeAffinity") or {}).get(REQUIRED) or {}).get("nodeSelectorTerms")
    if terms and not any(t.get("matchExpressions") or t.get("matchFields") for t in terms):
        path = f".nodeAffinity.{REQUIRED}.nodeSelectorTerms"
        yield FieldError(path, "an empty term matches no node, and there is no other")
    for index, term in enumerate((affinity.get("podAffinity") or {}).get(REQUIRED) or ()):
        if term.get("labelSelector") is None:
            path = f".podAffinity.{REQUIRED}[{index}].labelSelector"
            yield FieldError(path, "is missing, and without it no pod matches; {} matches all")
