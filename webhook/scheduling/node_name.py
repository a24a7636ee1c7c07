"""NodeName: a pod that names its node."""

from webhook.model import Json
from webhook.scheduling.objects import name_of, spec_of
from webhook.scheduling.verdict import Filter, Rejection
from webhook.scheduling.world import World

PLUGIN = "NodeName"

_REJECTION = Rejection(PLUGIN, ["node(s) didn't match the requested node name"])


def node_name(pod: Json, _world: World) -> Filter:
    wanted = spec_of(pod).get("nodeName")

    def reject(node: Json) -> Rejection | None:
        return _REJECTION if wanted and wanted != name_of(node) else None

    return reject
