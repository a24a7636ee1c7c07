"""The convertor pod and the VM as users of the VM's disks: where each of them must run, and why."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from webhook.forklift.labels import CONVERTOR_LABEL, CONVERTOR_VALUE, SCHEDULABLE_LABEL
from webhook.karl import minimums
from webhook.karl.pod_rule_warnings import list_required_pod_terms
from webhook.kube.affinity import POD_KINDS, REQUIRED
from webhook.kube.defaulting import with_defaults
from webhook.kube.objects import Json, affinity_of, labels_of, spec_of
from webhook.kube.pod_terms import resolve_incoming_term
from webhook.kube.scheduler.inter_pod_affinity import pod_affinity, pod_anti_affinity
from webhook.kube.scheduler.node_affinity import node_affinity
from webhook.kube.scheduler.snapshot import Snapshot, take_snapshot
from webhook.kube.scheduler.taint_toleration import taint_toleration
from webhook.model import ClusterState, Installation, Mode, Plan, Role, VmRules
from webhook.placement import CONVERTOR_POD, has_settings, place
from webhook.placement.required_rules import NodeRule, list_role_rules, list_vm_rules, name_setting
from webhook.placement.role_settings import settings_for
from webhook.settings.mode import mode_of
from webhook.settings.own_pods import list_own_pods

_RUNS_VMS = {SCHEDULABLE_LABEL: "true"}.items()

PLUGINS = (taint_toleration, node_affinity, pod_affinity, pod_anti_affinity)
"""The filters of kube-scheduler whose result does not pass by itself."""

_TRANSIENT_TAINT_PREFIXES = ("node.kubernetes.io/", "node.cloudprovider.kubernetes.io/")
"""Kubernetes sets and removes the taints with these keys."""


class DiskUser(NamedTuple):
    """A convertor pod or a VM."""

    name: str
    """`the convertor pod`; the ID of the VM follows."""
    pod: Json
    """With the API server's defaults, and without pod terms that are not to be evaluated."""
    rules: list[NodeRule]
    selector: str
    """The name of the setting of its node selector."""
    affinity: str
    """That of its affinity."""
    taint_remedy: str
    """Remedy for a taint: `tolerate it …`."""


class Surroundings(NamedTuple):
    """The known part of a cluster. Made by `describe_surroundings`."""

    snapshot: Snapshot
    """Without nodes if they are not known; then only the rules themselves are compared."""
    knows_pods: bool
    """True if it has at least the pods that the required terms of the plan select."""
    knows_namespaces: bool
    """False leaves out terms that select namespaces by labels."""

    @property
    def nodes(self) -> list[Json]:
        return self.snapshot.nodes


class DiskUsers(NamedTuple):
    """The users of the disks of a plan's VMs."""

    plan: Plan
    convertor: DiskUser
    vm: DiskUser

    @property
    def have_settings(self) -> bool:
        """True if the plan has settings that place pods."""
        settings = self.plan.settings
        return has_settings(settings) or bool(settings.roles)


def describe_surroundings(
    nodes: Iterable[Json],
    pods: Iterable[Json] | None = None,
    namespaces: Iterable[Json] | None = None,
) -> Surroundings:
    """Return what is known of a cluster; None is for pods and namespaces that are not known.

    Cordoned nodes and the taints that Kubernetes sets while a node is not healthy do not count,
    because they pass.
    """
    snapshot = take_snapshot(map(_without_transient_taints, nodes), pods or (), namespaces or ())
    return Surroundings(snapshot, pods is not None, namespaces is not None)


def build_disk_users(
    plan: Plan, installation: Installation, surroundings: Surroundings
) -> DiskUsers:
    """Return the users of the disks of a plan's VMs."""
    return DiskUsers(
        plan,
        _build_convertor(plan, installation, surroundings),
        _build_vm(plan, surroundings),
    )


def _build_convertor(
    plan: Plan, installation: Installation, surroundings: Surroundings
) -> DiskUser:
    """Return the convertor pod of a plan, with the plan's settings if it gets them.

    Terms about the plan's own pods are left out: those pods come and go.
    """
    labels = {CONVERTOR_LABEL: CONVERTOR_VALUE}
    pod: Json = {"metadata": {"namespace": plan.target_namespace, "labels": labels}}
    rules: list[NodeRule] = []
    if mode_of(plan, plan.target_namespace, installation) is Mode.ENFORCE:
        settings = settings_for(CONVERTOR_POD, plan, installation).settings
        keys = minimums.label_keys(settings)
        values = minimums.label_values(map(labels_of, surroundings.nodes), keys)
        pod = place(pod, plan, installation, ClusterState(values)).pod
        rules = list_role_rules(Role.CONVERTOR, plan, installation)
    pod = with_defaults(pod)
    own_pods = list_own_pods(plan, installation)
    return DiskUser(
        "the convertor pod of VM",
        _select_pod_terms(pod, lambda term: not own_pods.may_match(term), surroundings),
        rules,
        name_setting("node-selector", Role.CONVERTOR, plan),
        name_setting("affinity", Role.CONVERTOR, plan),
        f"tolerate it in {name_setting('tolerations', Role.CONVERTOR, plan)} of the plan",
    )


def _build_vm(plan: Plan, surroundings: Surroundings) -> DiskUser:
    """Return a VM of a plan, without terms about itself.

    A Plan cannot give it tolerations. If all nodes that can run VMs have a taint, something else
    does, such as a default of its namespace.
    """
    rules = plan.vm_rules or VmRules()
    capable = [node for node in surroundings.nodes if labels_of(node).items() >= _RUNS_VMS]
    if any(SCHEDULABLE_LABEL in labels_of(node) for node in surroundings.nodes):
        selector = dict(_RUNS_VMS) | rules.node_selector
    else:
        capable, selector = surroundings.nodes, rules.node_selector
    spec = {
        "nodeSelector": selector,
        "affinity": rules.affinity,
        "tolerations": _tolerate_common_taints(capable),
    }
    metadata = {"namespace": plan.target_namespace, "labels": rules.labels}
    pod = with_defaults({"metadata": metadata, "spec": spec})
    return DiskUser(
        "VM",
        _select_pod_terms(
            pod, lambda term: not resolve_incoming_term(term, pod).matches(pod, {}), surroundings
        ),
        list_vm_rules(plan),
        "targetNodeSelector",
        "targetAffinity",
        "remove it from a node, because a Plan cannot give its VMs tolerations",
    )


def _tolerate_common_taints(nodes: list[Json]) -> list[Json]:
    """Return the tolerations of the taints that all nodes have."""
    first, *others = [spec_of(node).get("taints") or [] for node in nodes] or [[]]
    return [
        {"key": taint["key"], "operator": "Exists", "effect": taint["effect"]}
        for taint in first
        if all(_has_taint(taints, taint) for taints in others)
    ]


def _has_taint(taints: list[Json], wanted: Json) -> bool:
    return any(
        (taint["key"], taint["effect"]) == (wanted["key"], wanted["effect"]) for taint in taints
    )


def list_pod_terms(user: DiskUser) -> list[Json]:
    """Return the pod terms that are evaluated."""
    return [term for _, term in list_required_pod_terms(spec_of(user.pod)["affinity"])]


def _select_pod_terms(
    pod: Json, is_evaluated: Callable[[Json], bool], surroundings: Surroundings
) -> Json:
    """Return a pod with those of its required pod terms that can be evaluated."""
    selected = {
        kind: {
            REQUIRED: [
                term
                for term in affinity_of(pod, kind).get(REQUIRED) or ()
                if surroundings.knows_pods
                and (surroundings.knows_namespaces or not term.get("namespaceSelector"))
                and is_evaluated(term)
            ]
        }
        for kind in POD_KINDS
    }
    affinity = {"nodeAffinity": affinity_of(pod, "nodeAffinity")} | selected
    return pod | {"spec": spec_of(pod) | {"affinity": affinity}}


def _without_transient_taints(node: Json) -> Json:
    spec = spec_of(node)
    taints = [
        taint
        for taint in spec.get("taints") or ()
        if not taint["key"].startswith(_TRANSIENT_TAINT_PREFIXES)
    ]
    return node | {"spec": spec | {"taints": taints}}
