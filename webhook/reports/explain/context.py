"""What all parts of an explanation go by."""

from typing import NamedTuple

from webhook import settings
from webhook.karl import minimums
from webhook.kube.objects import Json, labels_of
from webhook.kube.scheduler import World, look
from webhook.model import (
    Installation,
    Mode,
    NodeValues,
    Plan,
    Scope,
)
from webhook.reports.explain.model import Cluster
from webhook.reports.explain.sources import Place, places, scope_of
from webhook.settings.mode import mode_of


class Case(NamedTuple):
    """A plan in an installation, on a cluster."""

    plan: Plan
    spec: Json
    """The Plan's."""
    installation: Installation
    sources: list[Place]
    world: World
    all_pods: bool
    """Whether the world has the pods of all namespaces."""
    node_values: NodeValues

    @property
    def scope(self) -> Scope:
        return scope_of(self.sources[-1].given, self.installation)

    @property
    def mode(self) -> Mode:
        return mode_of(self.plan, self.plan.target_namespace, self.installation)


def read_case(plan_object: Json, installation: Installation, cluster: Cluster) -> Case:
    """Read a Plan, with all its sources."""
    plan = settings.read(plan_object, installation)
    world = look(cluster.nodes, cluster.pods, cluster.namespaces)
    labels = list(map(labels_of, world.nodes))
    values = {
        key: {each[key] for each in labels if key in each} for key in minimums.keys(plan.settings)
    }
    spec = plan_object.get("spec") or {}
    sources = places(plan_object, plan, installation)
    return Case(plan, spec, installation, sources, world, cluster.all_pods, values)
