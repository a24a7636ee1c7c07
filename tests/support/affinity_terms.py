"""Terms of affinities for tests."""

from webhook.kube.affinity import REQUIRED
from webhook.kube.objects import Json

CEPH: Json = {
    "labelSelector": {"matchLabels": {"app": "ceph-osd"}},
    "topologyKey": "kubernetes.io/hostname",
}
CEPH_ANYWHERE = CEPH | {"namespaceSelector": {}}


def node_terms(*terms: Json) -> Json:
    return {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": list(terms)}}}


def is_in(key: str, *values: str) -> Json:
    return {"matchExpressions": [{"key": key, "operator": "In", "values": list(values)}]}


def at_least(operator: str, minimum: str) -> Json:
    return {"matchExpressions": [{"key": "memory", "operator": operator, "values": [minimum]}]}


def both(*terms: Json) -> Json:
    return {"matchExpressions": [each for term in terms for each in term["matchExpressions"]]}
