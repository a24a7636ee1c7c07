"""Whether kube-scheduler would let a pod run on a node, and if not, why.

The default filters of kube-scheduler 1.36, each in a file of its own, in their order: what the
scheduler says of a pod that fits nowhere, `0/3 nodes are available: 1 node(s) were
unschedulable, 2 Insufficient cpu`, are the first rejections counted. What is not judged, such as
volumes, `unjudged` tells.
"""

import msgspec

from webhook.kube.objects import Json, name_of
from webhook.kube.scheduler.inter_pod_affinity import (
    existing_anti_affinity,
    pod_affinity,
    pod_anti_affinity,
)
from webhook.kube.scheduler.limitations import unjudged
from webhook.kube.scheduler.node_affinity import named_nodes, node_affinity
from webhook.kube.scheduler.node_name import node_name
from webhook.kube.scheduler.node_resources_fit import node_resources_fit
from webhook.kube.scheduler.node_unschedulable import node_unschedulable
from webhook.kube.scheduler.plugin import Plugin, Rejection
from webhook.kube.scheduler.snapshot import World, look
from webhook.kube.scheduler.taint_toleration import taint_toleration

__all__ = ["Rejection", "Verdict", "World", "judge", "look", "unjudged"]

_PLUGINS: tuple[Plugin, ...] = (
    named_nodes,
    node_unschedulable,
    node_name,
    taint_toleration,
    node_affinity,
    node_resources_fit,
    pod_affinity,
    pod_anti_affinity,
    existing_anti_affinity,
)


class Verdict(msgspec.Struct, frozen=True):
    """What is to be said of one node."""

    node: str
    rejections: list[Rejection] = []
    """In the scheduler's order; it stops at the first."""

    @property
    def fits(self) -> bool:
        return not self.rejections

    @property
    def reasons(self) -> list[str]:
        """What the scheduler says."""
        return self.rejections[0].reasons if self.rejections else []


def judge(pod: Json, world: World) -> list[Verdict]:
    """Judge a pod, as the API server has it, on every node of a world."""
    filters = [plugin(pod, world) for plugin in _PLUGINS]
    return [
        Verdict(name_of(node), [said for each in filters if (said := each(node))])
        for node in world.nodes
    ]
