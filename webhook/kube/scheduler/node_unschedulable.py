"""NodeUnschedulable: cordoned nodes."""

from webhook.kube.objects import Json, spec_of
from webhook.kube.scheduler.plugin import Filter, Rejection
from webhook.kube.scheduler.snapshot import Snapshot
from webhook.kube.scheduler.taint_toleration import tolerates

PLUGIN = "NodeUnschedulable"
TAINT = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
"""The taint that `kubectl cordon` causes. A pod that tolerates it may run on a cordoned node."""

_REJECTION = Rejection(PLUGIN, ["node(s) were unschedulable"])


def node_unschedulable(pod: Json, _snapshot: Snapshot) -> Filter:
    tolerated = any(tolerates(each, TAINT) for each in spec_of(pod).get("tolerations") or ())

    def reject(node: Json) -> Rejection | None:
        return _REJECTION if spec_of(node).get("unschedulable") and not tolerated else None

    return reject
