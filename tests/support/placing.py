"""Pods and plans in short, for the tests of placement and decision."""

from collections.abc import Mapping
from typing import Any

import msgspec

from webhook.admission.mutate import decide
from webhook.kube.affinity import REQUIRED
from webhook.kube.objects import Json
from webhook.model import (
    Decision,
    Installation,
    Plan,
    PlanRef,
    Problem,
    Reason,
    Request,
    Settings,
)
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
REF = PlanRef(namespace="konveyor-forklift", name="db")
OWNER = PlanRef("b277", "konveyor-forklift", "db")
UNKNOWN_VERB = Problem(
    "Plan konveyor-forklift/db annotation convertor.forklift.konveyor.io/affinity line 1 column 1",
    "unknown verb 'REQIRE': did you mean 'REQUIRE'?",
    "  REQIRE pods(app=ceph) on node\n  ^^^^^^",
)
KEPT = (
    "label app=x of the pod is kept, app=y of the plan is not applied: Forklift finds its pods by "
    "the labels that it created them with"
)
NO_QUANTITY = Problem("Plan konveyor-forklift/db spec.convertorNodeSelector", "'x+' is no quantity")


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


def request(before: Json | None = None, **changes: str) -> Request:
    asked = {"uid": "1", "operation": "CREATE", "kind": "v1/Pod", "namespace": "target"} | changes
    return msgspec.convert(asked | {"object": before or pod()}, Request)


def decided(
    found: Plan | Reason, installation: Installation = BARE, asked: Request | None = None
) -> Decision:
    return decide(asked or request(), REF, found, installation, {})
