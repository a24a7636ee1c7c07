"""Pods and plans in short, for the tests of placement."""

from collections.abc import Mapping
from typing import Any

from webhook.affinity import REQUIRED
from webhook.model import Installation, Json, Plan, Settings
from webhook.placement import Placed, place

BARE = Installation(identity_labels=False)
SYSTEM = {"forklift.app": "virt-v2v", "plan": "b277", "vmID": "vm-1"}
MARK = {
    "convertor.forklift.konveyor.io/placement": (
        '{"plan":"konveyor-forklift/db","generation":3,"mode":"enforce"}'
    )
}
CEPH: Json = {
    "labelSelector": {"matchLabels": {"app": "ceph-osd"}},
    "topologyKey": "kubernetes.io/hostname",
}
CEPH_ANYWHERE = CEPH | {"namespaceSelector": {}}


def plan(name: str = "db", /, **settings: Any) -> Plan:
    return Plan("konveyor-forklift", name, "b277", 3, "target", Settings(**settings))


def pod(labels: Json | None = None, **spec: Any) -> Json:
    return {"metadata": {"labels": SYSTEM | (labels or {})}, "spec": spec}


def placed(
    before: Json,
    plan: Plan,
    installation: Installation = BARE,
    node_values: Mapping[str, list[str]] | None = None,
) -> Placed:
    return place(before, plan, installation, node_values or {})


def node_terms(*terms: Json) -> Json:
    return {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": list(terms)}}}


def is_in(key: str, *values: str) -> Json:
    return {"matchExpressions": [{"key": key, "operator": "In", "values": list(values)}]}


def at_least(operator: str, minimum: str) -> Json:
    return {"matchExpressions": [{"key": "memory", "operator": operator, "values": [minimum]}]}


def both(*terms: Json) -> Json:
    return {"matchExpressions": [each for term in terms for each in term["matchExpressions"]]}
