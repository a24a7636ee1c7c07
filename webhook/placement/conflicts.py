"""Conflicts of a VM: its disks are bound where its convertor pod, or the VM itself, cannot run.

Volumes cannot move, so such a VM waits after the cutover, when it is already off. A conflict is
found from the node affinity of the volumes before the convertor pod exists. Cordoned nodes, taints
that Kubernetes sets while a node is unhealthy, and free resources do not count: they pass.
"""

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple

from webhook.forklift.labels import CONVERTOR_LABEL, CONVERTOR_VALUE
from webhook.karl import minimums
from webhook.karl.decompile import format_node_terms, format_pod_term
from webhook.karl.syntax import Verb
from webhook.kube.affinity import REQUIRED
from webhook.kube.defaulting import with_defaults
from webhook.kube.messages import format_count, quote
from webhook.kube.objects import Json, encode, labels_of, name_of, spec_of
from webhook.kube.pod_terms import resolve_incoming_term
from webhook.kube.scheduler.inter_pod_affinity import pod_affinity, pod_anti_affinity
from webhook.kube.scheduler.node_affinity import node_affinity
from webhook.kube.scheduler.plugin import Rejection
from webhook.kube.scheduler.snapshot import Snapshot, take_snapshot
from webhook.kube.scheduler.taint_toleration import taint_toleration
from webhook.kube.selectors import node_selector_term_matches
from webhook.kube.tolerations import format_toleration
from webhook.model import Disks, Installation, Mode, Plan, Role, Settings, SiblingDisk, VmRules
from webhook.placement import has_settings, place
from webhook.placement.exclusion import (
    NodeTerms,
    exclude_each_other,
    required_node_terms,
    to_terms,
)
from webhook.settings.mode import mode_of

KUBEVIRT_LABEL = "kubevirt.io/schedulable"
"""On every node that can run VMs."""

TRANSIENT_TAINT_PREFIXES = ("node.kubernetes.io/", "node.cloudprovider.kubernetes.io/")
"""Taints with these keys are set and removed by Kubernetes."""

_MAX_NAMES = 3
_PLUGINS = (taint_toleration, node_affinity, pod_affinity, pod_anti_affinity)


class Kind(StrEnum):
    """The kind of a conflict; the set is closed."""

    DISKS = "disks"
    """The disks are bound in places that exclude each other, or where no node is."""
    CONVERTOR = "convertor"
    """The disks are bound where the convertor pod cannot run."""
    VM = "vm"
    """The disks are bound where the VM cannot run."""


class Conflict(NamedTuple):
    """A conflict of one VM."""

    kind: Kind
    message: str
    """One sentence: the disks, why, and what to change. Lower case, no full stop."""


class Surroundings(NamedTuple):
    """What is known of the cluster."""

    nodes: Sequence[Json] = ()
    """All nodes; none if they are not known, and then only the rules themselves are compared."""
    pods: Sequence[Json] | None = None
    """At least the pods that required terms of the plan select; None if they are not known."""
    namespaces: Sequence[Json] | None = None
    """None if they are not known: terms that select namespaces by labels are not evaluated."""


def find_conflicts(
    vm: str,
    disks: Iterable[SiblingDisk],
    plan: Plan,
    installation: Installation,
    surroundings: Surroundings,
) -> list[Conflict]:
    """Return the conflicts of a VM, given by its ID and those of its disks that are known.

    For a plan without settings only disks that exclude each other are conflicts.
    """
    bound = [disk for disk in disks if disk.bound and disk.node_terms]
    if not bound:
        return []
    reaching = [node for node in surroundings.nodes if _reaches_all(node, bound)]
    where = _Where(vm, bound, reaching)
    if surroundings.nodes:
        apart = not reaching
    else:
        apart = exclude_each_other(disk.node_terms or [] for disk in bound)
    if apart:
        is_conflict = len(bound) > 1 or has_settings(plan.settings)
        return [Conflict(Kind.DISKS, _describe_disks(where, plan.settings))] if is_conflict else []
    if not has_settings(plan.settings):
        return []
    snapshot = _take_snapshot(surroundings)
    guests = (
        _describe_convertor(plan, installation, snapshot),
        _describe_vm(plan, snapshot),
    )
    return [
        Conflict(guest.kind, where.describe(guest, causes))
        for guest in guests
        if (causes := _find_causes(guest, where, surroundings, snapshot))
    ]


class _Guest(NamedTuple):
    """A convertor pod or a VM, and the names of its settings."""

    kind: Kind
    name: str
    """`the convertor pod`."""
    pod: Json
    selector: str
    """The name of the setting of the pod's node selector."""
    node_rules: str
    """That of its required node affinity."""
    affinity: str
    """That of its pod terms."""
    terms: list[tuple[str, NodeTerms]]
    """Its rules on nodes with the name of the setting of each; minimums are not expanded."""
    taint_remedy: str
    remedy: str
    """What else resolves the conflict."""


class _Cause(NamedTuple):
    """A rule or a taint that excludes nodes."""

    text: str
    remedy: str
    is_common: bool = True
    """True if it excludes every node."""


class _Where(NamedTuple):
    """The bound disks of a VM, and the nodes that reach all of their volumes."""

    vm: str
    disks: list[SiblingDisk]
    nodes: list[Json]

    def describe(self, guest: _Guest, causes: list[_Cause]) -> str:
        many = len(self.disks) > 1
        reached = "them" if many else "it"
        if self.nodes:
            names = _join([name_of(node) for node in self.nodes])
            count = len(self.nodes)
            nodes = f"the {format_count(count, 'node')} that reach{'es' * (count == 1)} {reached} "
            nodes += f"({names}) {'is' if count == 1 else 'are'} excluded by "
        else:
            nodes = f"the node affinity of the {'volumes' if many else 'volume'} excludes "
        each = "" if all(cause.is_common for cause in causes) else "one or more of "
        texts = " and ".join(cause.text for cause in causes)
        remedies = ", ".join(dict.fromkeys(cause.remedy for cause in causes))
        return (
            f"{_name_disks(self.disks)} {'are' if many else 'is'} bound where {guest.name} of VM "
            f"{quote(self.vm)} cannot run: {nodes}{each}{texts}; {remedies}, or {guest.remedy}"
        )


def _reaches_all(node: Json, disks: list[SiblingDisk]) -> bool:
    return all(
        any(node_selector_term_matches(term, node) for term in disk.node_terms or ())
        for disk in disks
    )


def _take_snapshot(surroundings: Surroundings) -> Snapshot:
    return take_snapshot(
        map(_without_transient_taints, surroundings.nodes),
        surroundings.pods or (),
        surroundings.namespaces or (),
    )


def _without_transient_taints(node: Json) -> Json:
    spec = spec_of(node)
    taints = [
        taint
        for taint in spec.get("taints") or ()
        if not taint["key"].startswith(TRANSIENT_TAINT_PREFIXES)
    ]
    return node | {"spec": spec | {"taints": taints}}


def _describe_convertor(plan: Plan, installation: Installation, snapshot: Snapshot) -> _Guest:
    """Return the convertor pod with the settings of its plan, if it gets them."""
    settings = plan.settings
    pod: Json = {
        "metadata": {
            "namespace": plan.target_namespace,
            "labels": {CONVERTOR_LABEL: CONVERTOR_VALUE},
        }
    }
    mode = mode_of(plan, plan.target_namespace, installation)
    if mode is not Mode.ENFORCE or not _places(Role.CONVERTOR, settings, installation):
        settings = Settings()
    else:
        keys = minimums.label_keys(settings)
        node_values = minimums.label_values(map(labels_of, snapshot.nodes), keys)
        pod = place(pod, plan, installation, node_values).pod
    required = required_node_terms(settings.affinity)
    again = "cancel the migration of the VM and start it again, so that its disks are bound anew"
    if not _places(Role.FIRST_CONSUMER, plan.settings, installation):
        again += " with first-consumer among the plan's pods"
    return _Guest(
        Kind.CONVERTOR,
        "the convertor pod",
        with_defaults(pod),
        selector="node-selector",
        node_rules=" or ".join(
            ["affinity"] * bool(required) + ["node-selector"] * bool(settings.node_requirements)
        ),
        affinity="affinity",
        terms=[
            ("node-selector", to_terms(settings.node_selector)),
            ("node-selector", [{"matchExpressions": settings.node_requirements}]
             if settings.node_requirements else []),
            ("affinity", required),
        ],
        taint_remedy="tolerate the taint in tolerations of the plan",
        remedy=again,
    )
