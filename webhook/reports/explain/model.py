"""The parts of an explanation: what the commands print, and the fields of their JSON."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from webhook.inventory import VmDisk, VmRef
from webhook.kube.objects import Json
from webhook.kube.pod_selectors import PodSelector
from webhook.model import Mode, Problem
from webhook.placement.conflicts import ConflictKind
from webhook.reports.duplicates import DuplicatePods
from webhook.reports.exclusions import InstalledWebhooks
from webhook.reports.setting import Setting


class ClusterObjects(NamedTuple):
    """The objects of a cluster."""

    nodes: list[Json]
    pods: list[Json]
    namespaces: list[Json]
    unread: list[str]
    """The resources that could not be read, with the consequence."""
    all_pods: bool = True
    """True if the pods are those of all namespaces."""
    webhooks: InstalledWebhooks = InstalledWebhooks()
    disks: Mapping[VmRef, list[VmDisk]] = {}
    """The disks of the plan's VMs, of all its migrations."""
    priority_classes: frozenset[str] | None = None
    """The names of the PriorityClasses; None if they were not read."""
    pod_selectors: Sequence[PodSelector] = ()
    """Of the target namespace."""
    profile_refusal: str = ""
    """The reason why the API server refuses pods with the convertor profile; empty if it does not,
    or if that is not known."""


class Matches(msgspec.Struct, frozen=True):
    """The number of matching objects, and some of their names."""

    count: int
    names: list[str]


class Rule(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """An effective rule."""

    source: str
    sentence: str
    """In plain English; empty for a term that KARL cannot express."""
    affinity: Json
    """The compiled core/v1 Affinity; for a node selector an equivalent one; empty for SPREAD."""
    spread: Json = {}
    """The compiled core/v1 TopologySpreadConstraint of a SPREAD."""
    text: str = ""
    """In KARL, if it can be expressed so."""
    pods: Matches | None = None
    """The pods that the rule selects; None for a rule on nodes, and if no node is known."""
    nodes: Matches | None = None
    """For a rule on pods the nodes near them; for a rule on nodes the nodes that match. None for
    SPREAD, and if no node is known."""
    domains: dict[str, int] = {}
    """The number of pods that a SPREAD counts, by the value of the topology's label."""
    note: str = ""
    """The reason why the rule matches nothing."""


class NodeRow(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The result for a convertor pod on a node."""

    name: str
    fits: bool
    score: int = msgspec.field(name="points")
    """The sum of the weights of the pod's own preferences."""
    reasons: list[str] = []
    """The first reasons against the node, in kube-scheduler's words."""
    details: list[str] = []
    """The obstacles."""


class RoleRow(msgspec.Struct, frozen=True, rename="camel"):
    """The nodes that the pods of a role fit, or the VMs."""

    role: str
    """As in `pods`, or `vm`."""
    nodes: list[str]
    zones: list[str]
    """Of these nodes, by the label topology.kubernetes.io/zone."""
    settings: str
    """The settings that apply: `required rules, no preferences`."""

    @property
    def title(self) -> str:
        """The subject of a sentence: `first-consumer pods`, `the VMs`."""
        return "the VMs" if self.role == "vm" else f"{self.role} pods"


class CommonPlaces(msgspec.Struct, frozen=True):
    """The places that all pods with disks and the VMs fit."""

    nodes: list[str]
    zones: list[str]


class DiskRow(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A disk of a VM whose migration has not ended."""

    vm: str
    """`vmID`."""
    disk: str
    """Name of the PVC."""
    bound: bool
    place: str = ""
    """The node affinity of its volume: `nodes(zone=a)`, `all nodes`, `not known`."""
    nodes: list[str] = []
    """The nodes that reach it."""


class ConflictRow(msgspec.Struct, frozen=True):
    """A conflict of a VM; see `webhook.placement.conflicts`."""

    vm: str
    kind: ConflictKind
    message: str


class SelectedRow(msgspec.Struct, frozen=True):
    """An object in the target namespace that selects pods of the plan."""

    kind: str
    name: str
    pods: list[str]
    """Their roles."""
    labels: list[str]
    """The labels, `tier=web`, by which it selects them, of those that Forklift does not set."""
    effect: str
    """The predicate of a sentence: `sends them its traffic once they are ready`."""


class PodRow(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A convertor pod of the plan."""

    name: str
    namespace: str
    phase: str
    node: str = ""
    placement: str = ""
    """A deviation: never placed, or placed with other settings than the effective ones."""
    message: str = ""
    """kube-scheduler's message if the pod is not scheduled, the kubelet's if it does not start."""
    fitting_nodes: int | None = msgspec.field(name="nodes", default=None)
    """For a pending pod the number of nodes that it fits; None if that was not evaluated."""


class Advice(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A problem, and what to do about it."""

    problem: str
    remedy: str = ""
    command: str = ""
    """A command to run; the user replaces words in capitals."""
    nodes: list[str] = []
    """The nodes with this problem; empty if all have it."""


class Explanation(msgspec.Struct, frozen=True, rename="camel"):
    """Everything about the placement of a plan's convertor pods."""

    plan: str
    target_namespace: str
    mode: Mode
    settings: list[Setting]
    problems: list[Problem]
    warnings: list[str]
    """About valid settings that hardly mean what is intended."""
    limits: list[Setting]
    """Those of the installation on settings of the plan, without those that are built in."""
    effects: list[str]
    """The effects of settings that are not about nodes, and of the installation's profile."""
    rules: list[Rule]
    evaluated_pod: str = msgspec.field(name="judged")
    """`target/db-vm-1`, or `a new convertor pod, as the webhook places it`."""
    requests: dict[str, str] = msgspec.field(name="asks")
    """The resource requests of that pod."""
    nodes: list[NodeRow]
    pods: list[PodRow]
    advice: list[Advice]
    limitations: list[str] = msgspec.field(name="unjudged")
    """Aspects that are not evaluated."""
    unread: list[str]
    """The resources that could not be read, with the consequence."""
    excluded: str
    """The reason why the webhook is not called for the target namespace; empty if it is, or if not
    known."""
    duplicates: list[DuplicatePods]
    """The VMs that have several convertor pods at the same time."""
    roles: list[RoleRow]
    """Convertors, the other roles that the plan places, and VMs; none if no node is known."""
    common: CommonPlaces
    disks: list[DiskRow]
    conflicts: list[ConflictRow]
    selected_by: list[SelectedRow]
    """The objects in the target namespace that select the plan's next pods."""
