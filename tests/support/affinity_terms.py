"""Terms of affinities for tests."""

from typing import Any

from tests.support.builders import HOST
from webhook.kube.affinity import REQUIRED
from webhook.kube.objects import Json


def pod_term(app: str = "ceph-osd", topology: str = HOST, **fields: Any) -> Json:
    """Return a term that selects the pods of an app in the namespace of the pod."""
    return {"labelSelector": {"matchLabels": {"app": app}}, "topologyKey": topology, **fields}


CEPH = pod_term()
CEPH_ANYWHERE = pod_term(namespaceSelector={})


def node_terms(*terms: Json) -> Json:
    return {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": list(terms)}}}


def is_in(key: str, *values: str) -> Json:
    return {"matchExpressions": [{"key": key, "operator": "In", "values": list(values)}]}


def at_least(operator: str, minimum: str) -> Json:
    return {"matchExpressions": [{"key": "memory", "operator": operator, "values": [minimum]}]}


def both(*terms: Json) -> Json:
    return {"matchExpressions": [each for term in terms for each in term["matchExpressions"]]}
