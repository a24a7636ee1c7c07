"""NodeName: a pod that names its node."""

from webhook.kube.objects import Json, name_of, spec_of
from webhook.kube.scheduler.plugin import Filter, Rejection
from webhook.kube.scheduler.snapshot import World

PLUGIN = "NodeName"

_REJECTION = Rejection(PLUGIN, ["node(s) didn't match the requested node name"])


def node_name(pod: Json, _world: World) -> Filter:
    wanted = spec_of(pod).get("nodeName")

    def reject(node: Json) -> Rejection | None:
        return _REJECTION if wanted and wanted != name_of(node) else None

    return reject
