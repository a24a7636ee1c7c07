"""Remedies for obstacles, with a command where one is known."""

from collections.abc import Callable
from typing import NamedTuple

from webhook.forklift.labels import SCHEDULABLE_LABEL
from webhook.karl import minimums
from webhook.karl.decompile import format_node_terms, format_pod_term
from webhook.karl.syntax import Verb
from webhook.karl.text import format_topology
from webhook.kube.affinity import POD_KINDS, REQUIRED
from webhook.kube.commands import RULES
from webhook.kube.objects import Json, labels_of, name_of
from webhook.kube.scheduler.inter_pod_affinity import pod_affinity
from webhook.kube.scheduler.resources import PODS
from webhook.kube.scheduler.snapshot import Snapshot
from webhook.kube.selectors import expression_matches
from webhook.kube.tolerations import format_toleration
from webhook.model import Mode, Plan, Scope
from webhook.reports.explain import near_misses
from webhook.reports.explain.commands import Commands
from webhook.reports.explain.context import ExplainContext
from webhook.reports.explain.model import Advice
from webhook.reports.explain.obstacles import Kind, Obstacle
from webhook.settings.limits import PlanLimits
from webhook.settings.mode import Origin, resolve_mode
from webhook.settings.names import REQUESTS

_WELL_KNOWN_TAINT_PREFIX = "node.kubernetes.io/"
_KVM_RESOURCE_PREFIX = "devices.kubevirt.io/"
_FORKLIFT_REQUESTS = {
    "cpu": "virt_v2v_container_requests_cpu",
    "memory": "virt_v2v_container_requests_memory",
}
"""Fields of the ForkliftController, for all plans together."""


class ObstacleContext(NamedTuple):
    """The pod that an obstacle is about, and the nodes with it."""

    context: ExplainContext
    pod: Json
    nodes: list[str]
    """Those with the fewest other obstacles."""
    explain_pod_affinity: Callable[[], str]
    """`explain_pod_affinity` of the pod, which is the same for all of its rules."""

    @property
    def plan(self) -> Plan:
        return self.context.plan

    @property
    def commands(self) -> Commands:
        return self.context.commands

    @property
    def closest(self) -> list[Json]:
        return [node for node in self.context.snapshot.nodes if name_of(node) in self.nodes]


def advise_on_obstacle(obstacle: Obstacle, where: ObstacleContext) -> Advice:
    """Return what to do; the caller sets the `nodes` of the advice."""
    return _REMEDIES[obstacle.kind](obstacle, where)


def advise_enforcing(problem: str, context: ExplainContext) -> Advice:
    """Return how to enforce the plan; `problem` is the consequence of its mode."""
    namespace = context.plan.target_namespace
    if context.installation.plan_modes:
        command = context.commands.patch("--mode", Mode.ENFORCE)
        return Advice(problem, "set the plan's mode to enforce", command)
    origin = resolve_mode(context.plan, namespace, context.installation).origin
    value = f"namespaceModes.{namespace}" if origin is Origin.NAMESPACE else "mode"
    command = context.commands.helm(
        *("upgrade", "RELEASE", "CHART", "-n", "NAMESPACE", "--reset-then-reuse-values"),
        *("--set", f"{value}=enforce"),
    )
    return Advice(problem, "planModes is false: set the installation's mode to enforce", command)


def _cordon(obstacle: Obstacle, where: ObstacleContext) -> Advice:
    command = where.commands.kubectl("uncordon", where.nodes[0])
    return Advice(obstacle.text, "make the node schedulable again", command)


def _taint(obstacle: Obstacle, where: ObstacleContext) -> Advice:
    if obstacle.cause["key"].startswith(_WELL_KNOWN_TAINT_PREFIX):
        command = where.commands.kubectl("describe", "node", where.nodes[0])
        return Advice(obstacle.text, "Kubernetes sets it while the node is unhealthy", command)
    if _is_beyond_limits(obstacle.cause, where):
        remedy = "limits.tolerations of the installation does not let the plan tolerate it"
        return Advice(obstacle.text, f"{remedy}: use other nodes, or extend that")
    command = where.commands.patch("--convertor-tolerations", _add_toleration(obstacle, where))
    return Advice(obstacle.text, "tolerate it in the plan", command)


def _is_beyond_limits(taint: Json, where: ObstacleContext) -> bool:
    plan = where.plan
    limits = PlanLimits(
        where.context.installation.limits_for(plan.namespace), plan.target_namespace
    )
    return bool(limits.check_setting("tolerations") or limits.check_toleration(taint))


def _add_toleration(obstacle: Obstacle, where: ObstacleContext) -> str:
    """Return the taint after the effective tolerations of its key.

    The plan's tolerations of a key replace those of the defaults, which would be lost.
    """
    key = obstacle.cause["key"]
    effective = [each for each in where.plan.settings.tolerations if each.get("key") == key]
    return ",".join(dict.fromkeys(map(format_toleration, [*effective, obstacle.cause])))


def _node_selector(obstacle: Obstacle, where: ObstacleContext) -> Advice:
    ((key, value),) = obstacle.cause["nodeSelector"].items()
    problem = f"{obstacle.text}: {near_misses.describe_label(key, where.context.snapshot)}"
    if key == SCHEDULABLE_LABEL:
        command = where.commands.kubectl(
            *("get", "pods", "-A", "-l", "kubevirt.io=virt-handler", "-o", "wide")
        )
        return Advice(problem, "KubeVirt sets it on nodes that can run VMs", command)
    others = near_misses.count_values(key, where.closest)
    enforced = where.context.installation.enforced.node_selector
    if key in where.plan.settings.node_selector and key not in enforced and others:
        ((other, _),) = others.most_common(1)
        return _change_node_selector(problem, key, other, where)
    return _label_node(problem, key, value, where)


def _change_node_selector(problem: str, key: str, value: str, where: ObstacleContext) -> Advice:
    command = where.commands.patch("--convertor-node-selector", f"{key}={value}")
    return Advice(problem, "label a node, or change the plan's node selector", command)


def _label_node(problem: str, key: str, value: str, where: ObstacleContext) -> Advice:
    # kubectl refuses to change a value without --overwrite.
    overwrite = ["--overwrite"] if key in labels_of(where.closest[0]) else []
    words = ("label", "node", where.nodes[0], f"{key}={value}", *overwrite)
    return Advice(problem, "label a node", where.commands.kubectl(*words))


def _node_affinity(obstacle: Obstacle, where: ObstacleContext) -> Advice:
    terms = obstacle.cause["nodeSelectorTerms"]
    miss = near_misses.diagnose_node_terms(terms, where.context.snapshot)
    problem = f"no node matches {format_node_terms(terms)}: {miss}" if miss else obstacle.text
    if minimum := _find_unmet_minimum(where):
        return _lower_minimum(problem, minimum, where)
    return Advice(problem, "label a node to match, or change the rules", _change_rules(where))


def _find_unmet_minimum(where: ObstacleContext) -> Json | None:
    """Return a minimum of the node selector that none of the nodes has: no rule can change that."""
    for minimum in where.plan.settings.node_requirements:
        expression = minimums.expand(minimum, where.context.cluster.node_values)
        if not any(expression_matches(expression, labels_of(node)) for node in where.closest):
            return minimum
    return None


def _lower_minimum(problem: str, minimum: Json, where: ObstacleContext) -> Advice:
    key = minimum["key"]
    for value, _ in near_misses.count_values(key, where.closest).most_common():
        if minimums.is_minimum(f"{value}+"):
            return _change_node_selector(problem, key, f"{value}+", where)
    return _label_node(problem, key, minimums.minimum_of(minimum), where)


def _resources(obstacle: Obstacle, where: ObstacleContext) -> Advice:
    resource, allocatable = obstacle.cause["resource"], obstacle.cause["allocatable"]
    if resource == PODS:
        return Advice(obstacle.text, "wait until other pods end, or add nodes")
    if resource.startswith(_KVM_RESOURCE_PREFIX) and not allocatable:
        text = "KubeVirt provides it on nodes with hardware virtualization"
        return Advice(
            obstacle.text, text, where.commands.kubectl("describe", "node", where.nodes[0])
        )
    request = f"{REQUESTS}.{resource}"
    if request in where.plan.settings.resources:
        text = f"free resources, add nodes, or lower {request} of the plan"
        command = where.commands.patch("--convertor-resources", f"{request}=AMOUNT")
        return Advice(obstacle.text, text, command)
    if field := _FORKLIFT_REQUESTS.get(resource):
        text = f"free resources, add nodes, or lower {field} of the ForkliftController"
        return Advice(obstacle.text, text)
    return Advice(obstacle.text, "wait until it is free, or add nodes")


def _pod_affinity(obstacle: Obstacle, where: ObstacleContext) -> Advice:
    term = obstacle.cause["term"]
    rule = format_pod_term(Verb.REQUIRE, term)
    miss = near_misses.diagnose_pod_term(term, where.pod, where.context)
    if not miss:
        return Advice(obstacle.text, where.explain_pod_affinity())
    unscoped = term.get("namespaceSelector") is None and not term.get("namespaces")
    if unscoped and where.context.reading.scope is Scope.OWN:
        command = where.commands.patch("--rule-scope", "all")
        return Advice(f"{rule}: {miss}", "extend the scope of the rules to all namespaces", command)
    remedy = "start a pod with these labels, or change the rule"
    return _change_rule(f"{rule}: {miss}", remedy, obstacle, where)


def explain_pod_affinity(pod: Json, snapshot: Snapshot) -> str:
    """Return why a pod fits no node though each of its REQUIRE rules on pods can be met."""
    reject = pod_affinity(pod, snapshot)
    if all(reject(node) for node in snapshot.nodes):
        return "one pod must match all REQUIRE rules on pods at once"
    return "the nodes near a matching pod have other obstacles"


def _pod_anti_affinity(obstacle: Obstacle, where: ObstacleContext) -> Advice:
    remedy = "wait until that pod ends, or make the rule a preference: REPEL"
    return _change_rule(obstacle.text, remedy, obstacle, where)


def _spread(obstacle: Obstacle, where: ObstacleContext) -> Advice:
    constraint = obstacle.cause["constraint"]
    remedy = (
        f"free or add another {format_topology(constraint['topologyKey'])}, wait until one of "
        "these pods ends, allow a larger skew, or leave out hard"
    )
    return _change_rule(obstacle.text, remedy, obstacle, where)


def _spread_label(obstacle: Obstacle, where: ObstacleContext) -> Advice:
    key = obstacle.cause["constraint"]["topologyKey"]
    problem = f"{obstacle.text}: {near_misses.describe_label(key, where.context.snapshot)}"
    words = ("label", "node", where.nodes[0], f"{key}=VALUE")
    return Advice(problem, "label a node, or leave out hard", where.commands.kubectl(*words))


def _existing_anti_affinity(obstacle: Obstacle, where: ObstacleContext) -> Advice:
    namespace, _, name = obstacle.cause["pod"].partition("/")
    command = where.commands.kubectl("get", "pod", name, "-n", namespace, "-o", "yaml")
    return Advice(obstacle.text, "see the affinity of that pod", command)


def _change_rule(problem: str, remedy: str, obstacle: Obstacle, where: ObstacleContext) -> Advice:
    """Return advice on a rule about pods: no plan can change one that the installation enforces."""
    enforced = where.context.installation.enforced
    terms = [each for kind in POD_KINDS for each in _list_required(enforced.affinity, kind)]
    if obstacle.cause.get("term") in terms or obstacle.cause.get("constraint") in enforced.spread:
        return Advice(f"{problem} (enforced.affinity of the installation)", remedy)
    return Advice(problem, remedy, _change_rules(where))


def _list_required(affinity: Json, kind: str) -> list[Json]:
    return (affinity.get(kind) or {}).get(REQUIRED) or []


def _change_rules(where: ObstacleContext) -> str:
    sources = where.context.reading.sources
    in_spec = sources.spec.affinity and not sources.annotations.affinity
    patch = where.commands.patch_spec if in_spec else where.commands.patch
    return patch("--convertor-affinity", RULES)


_REMEDIES: dict[Kind, Callable[[Obstacle, ObstacleContext], Advice]] = {
    Kind.CORDON: _cordon,
    Kind.TAINT: _taint,
    Kind.NODE_SELECTOR: _node_selector,
    Kind.NODE_AFFINITY: _node_affinity,
    Kind.RESOURCES: _resources,
    Kind.SPREAD: _spread,
    Kind.SPREAD_LABEL: _spread_label,
    Kind.POD_AFFINITY: _pod_affinity,
    Kind.POD_ANTI_AFFINITY: _pod_anti_affinity,
    Kind.EXISTING_ANTI_AFFINITY: _existing_anti_affinity,
}
