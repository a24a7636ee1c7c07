"""The words of an explanation: what the commands print, and what programs get as JSON."""

from typing import NamedTuple

import msgspec

from webhook.kube.objects import Json
from webhook.model import Mode, Problem


class Cluster(NamedTuple):
    """What was read of a cluster."""

    nodes: list[Json]
    pods: list[Json]
    namespaces: list[Json]
    unread: list[str]
    """What could not be read, and what that means."""
    all_pods: bool = True
    """Whether the pods are those of all namespaces."""


class Setting(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One setting in force."""

    name: str
    """As annotations name it: `labels`."""
    value: str
    """As it is written there: `workload=migration`."""
    source: str
    """`annotation convertor.forklift.konveyor.io/labels`, `spec.convertorLabels`, `defaults
    labels`, or `installation`."""
    instead_of: list[str] = []
    """What less specific sources have there: `workload=batch (spec.convertorLabels)`."""


class Matches(msgspec.Struct, frozen=True):
    """How many there are now, and some names."""

    count: int
    names: list[str]


class Rule(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One rule in force."""

    source: str
    sentence: str
    """In plain English; empty where a term of an object says what no rule can."""
    affinity: Json
    """What it is as a core/v1 Affinity, or as a node selector."""
    text: str = ""
    """In KARL, where it can be said so."""
    pods: Matches | None = None
    """The pods that it is about; None for a rule on nodes, and where no node is known."""
    nodes: Matches | None = None
    """For a rule on pods the nodes near those; for one on nodes the nodes that meet it. None
    where no node is known."""
    note: str = ""
    """Why it matches nothing, where it does not."""


class Node(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Whether a convertor pod could run on a node."""

    name: str
    fits: bool
    points: int
    """The sum of what the pod's own preferences give to it."""
    reasons: list[str] = []
    """The first reasons against it, in the scheduler's words."""
    details: list[str] = []
    """What stands in the way."""


class Pod(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A convertor pod of the plan."""

    name: str
    namespace: str
    phase: str
    node: str = ""
    placement: str = ""
    """What is odd with it: never placed, or placed by other settings than those in force."""
    message: str = ""
    """What the scheduler says, where it is on no node, or the kubelet while it does not start."""
    nodes: int | None = None
    """Of a waiting pod, how many nodes could take it; None where that was not looked at."""


class Advice(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """What would help."""

    problem: str
    remedy: str = ""
    command: str = ""
    """Something to type; a word in capitals is for the user to replace."""
    nodes: list[str] = []
    """Where this is in the way; empty where it is so everywhere."""


class Explanation(msgspec.Struct, frozen=True, rename="camel"):
    """Everything about the placement of a plan's convertor pods."""

    plan: str
    target_namespace: str
    mode: Mode
    settings: list[Setting]
    problems: list[Problem]
    rules: list[Rule]
    judged: str
    """The pod that was judged: `target/db-vm-1` or `a convertor pod as Forklift makes it`."""
    asks: dict[str, str]
    """What that pod asks for."""
    nodes: list[Node]
    pods: list[Pod]
    advice: list[Advice]
    unjudged: list[str]
    """What was left out of account."""
    unread: list[str]
    """What could not be read of the cluster, and what that means."""
