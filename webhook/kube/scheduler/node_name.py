"""NodeName: the pod's `spec.nodeName`."""

from webhook.kube.objects import Json, name_of, spec_of
from webhook.kube.scheduler.plugin import Filter, Rejection
from webhook.kube.scheduler.snapshot import Snapshot

PLUGIN = "NodeName"

_REJECTION = Rejection(PLUGIN, ["node(s) didn't match the requested node name"])


def node_name(pod: Json, _snapshot: Snapshot) -> Filter:
    wanted = spec_of(pod).get("nodeName")

    def reject(node: Json) -> Rejection | None:
        return _REJECTION if wanted and wanted != name_of(node) else None

    return reject
