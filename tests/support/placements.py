"""Placements and decisions for the Plan of the builders, and what they contain."""

from collections.abc import Mapping

from tests.support.builders import decoded_request
from webhook.admission.mutate import decide
from webhook.kube.objects import Json
from webhook.model import (
    ClusterState,
    Decision,
    Installation,
    MigrationPod,
    Plan,
    PlanRef,
    Problem,
    Reason,
    Request,
)
from webhook.placement import Placed, place

BARE = Installation(identity_labels=False)
MARK = {
    "convertor.forklift.konveyor.io/placement": (
        '{"plan":"konveyor-forklift/db","generation":3,"mode":"enforce"}'
    )
}
REF = PlanRef(namespace="konveyor-forklift", name="db")
OWNER = PlanRef("b277", "konveyor-forklift", "db")
UNKNOWN_VERB = Problem(
    "Plan konveyor-forklift/db annotation convertor.forklift.konveyor.io/affinity line 1 column 1",
    "unknown verb 'REQIRE': did you mean 'REQUIRE'?",
    "  REQIRE pods(app=ceph) on node\n  ^^^^^^",
)
KEPT = (
    "label tier=x of the pod is kept, tier=y of the plan is not applied: Forklift finds its pods "
    "by the labels that it created them with"
)
NO_QUANTITY = Problem(
    "Plan konveyor-forklift/db spec.convertorNodeSelector", "'x+' is not a quantity"
)


def place_pod(
    before: Json,
    plan: Plan,
    installation: Installation = BARE,
    node_values: Mapping[str, list[str]] | None = None,
) -> Placed:
    return place(before, plan, installation, ClusterState(node_values or {}))


def decide_on_pod(
    found: Plan | Reason, installation: Installation = BARE, request: Request | None = None
) -> Decision:
    return decide(request or decoded_request(), MigrationPod(ref=REF), found, installation)
