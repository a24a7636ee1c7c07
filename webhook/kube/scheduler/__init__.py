"""The default filter plugins of kube-scheduler 1.36, run for one pod on a snapshot of the cluster.

Each plugin is a file and they run in kube-scheduler's order, so that the first rejection of each
node gives the counts of its message `0/3 nodes are available: 1 node(s) were unschedulable,
2 Insufficient cpu`. `limitations` names what is not evaluated, such as volumes.
"""

import msgspec

from webhook.kube.objects import Json, name_of
from webhook.kube.scheduler.inter_pod_affinity import (
    existing_anti_affinity,
    pod_affinity,
    pod_anti_affinity,
)
from webhook.kube.scheduler.limitations import limitations
from webhook.kube.scheduler.node_affinity import node_affinity, prefilter_node_names
from webhook.kube.scheduler.node_name import node_name
from webhook.kube.scheduler.node_resources_fit import node_resources_fit
from webhook.kube.scheduler.node_unschedulable import node_unschedulable
from webhook.kube.scheduler.plugin import Plugin, Rejection
from webhook.kube.scheduler.pod_topology_spread import pod_topology_spread
from webhook.kube.scheduler.snapshot import Snapshot, take_snapshot
from webhook.kube.scheduler.taint_toleration import taint_toleration

__all__ = ["Rejection", "Snapshot", "Verdict", "limitations", "run_filters", "take_snapshot"]

_PLUGINS: tuple[Plugin, ...] = (
    prefilter_node_names,
    node_unschedulable,
    node_name,
    taint_toleration,
    node_affinity,
    node_resources_fit,
    pod_topology_spread,
    pod_affinity,
    pod_anti_affinity,
    existing_anti_affinity,
)


class Verdict(msgspec.Struct, frozen=True):
    """The result of all filters for one node."""

    node: str
    rejections: list[Rejection] = []
    """In the order of the plugins; kube-scheduler stops at the first."""

    @property
    def fits(self) -> bool:
        return not self.rejections

    @property
    def reasons(self) -> list[str]:
        """The reasons that kube-scheduler reports for the node."""
        return self.rejections[0].reasons if self.rejections else []


def run_filters(pod: Json, snapshot: Snapshot) -> list[Verdict]:
    """Run every filter for a pod with the API server's defaults, on every node of a snapshot."""
    filters = [plugin(pod, snapshot) for plugin in _PLUGINS]
    return [
        Verdict(name_of(node), [rejection for each in filters if (rejection := each(node))])
        for node in snapshot.nodes
    ]
