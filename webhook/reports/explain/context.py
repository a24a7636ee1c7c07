"""The input of an explanation: a plan, its settings by source, and a cluster."""

from typing import NamedTuple

from webhook import settings
from webhook.karl import minimums
from webhook.kube.commands import CURRENT_CONTEXT, KubectlFlags
from webhook.kube.objects import Json, labels_of, spec_of
from webhook.kube.scheduler import Snapshot, take_snapshot
from webhook.model import ClusterState, ConvertorProfile, Installation, Mode, Plan, Settings
from webhook.reports.exclusions import Exclusion
from webhook.reports.explain.commands import Commands
from webhook.reports.explain.model import ClusterObjects
from webhook.settings import PlanReading
from webhook.settings.mode import installation_for, mode_of
from webhook.settings.raw import PlanName


class ExplainContext(NamedTuple):
    """A plan in an installation, on a cluster."""

    reading: PlanReading
    spec: Json
    """The Plan's."""
    installation: Installation
    snapshot: Snapshot
    all_pods: bool
    """True if the snapshot has the pods of all namespaces."""
    cluster: ClusterState
    flags: KubectlFlags
    exclusions: list[Exclusion]
    """The reasons why the webhook is not called for the pods of the plan."""

    @property
    def plan(self) -> Plan:
        return self.reading.plan

    @property
    def plan_name(self) -> PlanName:
        return PlanName(self.plan.namespace, self.plan.name)

    @property
    def commands(self) -> Commands:
        return Commands(self.plan, self.installation, self.flags)

    @property
    def mode(self) -> Mode:
        return mode_of(self.plan, self.plan.target_namespace, self.installation)

    @property
    def unplaced_reason(self) -> str:
        """The reason why new pods of the plan are not placed; empty if they are."""
        if self.exclusions:
            return f"namespace '{self.plan.target_namespace}' is excluded from the webhook"
        return "" if self.mode is Mode.ENFORCE else f"the mode is {self.mode}"

    @property
    def has_floor(self) -> bool:
        """True if new pods get something that the installation enforces in every mode of a plan."""
        target = self.plan.target_namespace
        mode = mode_of(None, target, self.installation)
        profile = self.installation.profile_for(target)
        has_any = self.installation.enforced != Settings() or profile != ConvertorProfile()
        return has_any and mode is Mode.ENFORCE and not self.exclusions


def read_context(
    plan_object: Json,
    installation: Installation,
    cluster: ClusterObjects,
    flags: KubectlFlags = CURRENT_CONTEXT,
) -> ExplainContext:
    """Read a Plan, with all its sources; `flags` select the cluster in commands."""
    reading = settings.read_plan(plan_object, installation)
    snapshot = take_snapshot(cluster.nodes, cluster.pods, cluster.namespaces)
    keys = minimums.label_keys(reading.plan.settings, installation.enforced)
    values = minimums.label_values(map(labels_of, snapshot.nodes), keys)
    return ExplainContext(
        reading,
        spec_of(plan_object),
        installation_for(reading.plan, installation),
        snapshot,
        cluster.all_pods,
        ClusterState(values, cluster.priority_classes),
        flags,
        cluster.webhooks.list_exclusions(reading.plan.target_namespace, flags),
    )
