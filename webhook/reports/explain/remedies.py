"""What to do about an obstacle, as concretely as it is known."""

import shlex
from collections.abc import Callable
from typing import NamedTuple

from webhook.admission.patch_summary import format_toleration
from webhook.karl.syntax import Verb
from webhook.kube.objects import Json, name_of
from webhook.kube.scheduler.inter_pod_affinity import pod_affinity
from webhook.kube.scheduler.resources import PODS
from webhook.model import Mode, Plan, Scope
from webhook.reports.explain import near_misses
from webhook.reports.explain.context import Case
from webhook.reports.explain.model import Advice
from webhook.reports.explain.obstacles import Kind, Obstacle, node_terms_text, rule_text
from webhook.settings.mode import Origin, resolve_mode

_WELL_KNOWN_TAINT = "node.kubernetes.io/"
_KUBEVIRT = "kubevirt.io/schedulable"
_KVM = "devices.kubevirt.io/"
_FORKLIFT_REQUESTS = {
    "cpu": "virt_v2v_container_requests_cpu",
    "memory": "virt_v2v_container_requests_memory",
}
"""Fields of the ForkliftController, for all plans together."""


class Situation(NamedTuple):
    """What a remedy depends on, beside the obstacle."""

    case: Case
    pod: Json
    nodes: list[str]
    """The nodes with this obstacle that have fewest others."""


def remedy(obstacle: Obstacle, situation: Situation) -> Advice:
    """Return what to do; `nodes` is left to the caller."""
    return _REMEDIES[obstacle.kind](obstacle, situation)


def to_enforce(problem: str, case: Case) -> Advice:
    """Return how to have the plan enforced, as what is wrong with its not being so."""
    namespace = case.plan.target_namespace
    if case.installation.plan_modes:
        command = _patch(case.plan, "--mode", Mode.ENFORCE)
        return Advice(problem, "have the plan enforced", command)
    origin = resolve_mode(case.plan, namespace, case.installation).origin
    value = f"namespaceModes.{namespace}" if origin is Origin.NAMESPACE else "mode"
    command = f"helm upgrade RELEASE CHART -n NAMESPACE --reuse-values --set {value}=enforce"
    return Advice(problem, "plans have no say in the mode: change the installation's", command)


def _cordon(obstacle: Obstacle, situation: Situation) -> Advice:
    command = f"kubectl uncordon {situation.nodes[0]}"
    return Advice(obstacle.text, "let the node take pods again", command)


def _taint(obstacle: Obstacle, situation: Situation) -> Advice:
    if obstacle.cause["key"].startswith(_WELL_KNOWN_TAINT):
        command = f"kubectl describe node {situation.nodes[0]}"
        return Advice(obstacle.text, "Kubernetes sets it while the node is not well", command)
    command = _patch(
        situation.case.plan, "--convertor-tolerations", _tolerated(obstacle, situation)
    )
    return Advice(obstacle.text, "have the plan's pods tolerate it", command)


def _tolerated(obstacle: Obstacle, situation: Situation) -> str:
    """Return the taint after what is tolerated of its key already.

    The plan's tolerations of a key take the place of the default's, which would be lost.
    """
    key = obstacle.cause["key"]
    said = [each for each in situation.case.plan.settings.tolerations if each.get("key") == key]
    return ",".join(dict.fromkeys(map(format_toleration, [*said, obstacle.cause])))


def _label(obstacle: Obstacle, situation: Situation) -> Advice:
    ((key, value),) = obstacle.cause["nodeSelector"].items()
    problem = f"{obstacle.text}: {near_misses.of_label(key, situation.case.snapshot)}"
    if key == _KUBEVIRT:
        command = "kubectl get pods -A -l kubevirt.io=virt-handler -o wide"
        return Advice(problem, "KubeVirt gives it to nodes that can run VMs", command)
    snapshot, closest = situation.case.snapshot, situation.nodes
    others = near_misses.values_of(key, [n for n in snapshot.nodes if name_of(n) in closest])
    if key in situation.case.plan.settings.node_selector and others:
        ((other, _),) = others.most_common(1)
        command = _patch(situation.case.plan, "--convertor-node-selector", f"{key}={other}")
        return Advice(problem, "give the label to a node, or ask for another value", command)
    command = f"kubectl label node {closest[0]} {key}={value}"
    return Advice(problem, "give the label to a node", command)


def _node_terms(obstacle: Obstacle, situation: Situation) -> Advice:
    terms = obstacle.cause["nodeSelectorTerms"]
    miss = near_misses.of_node_terms(terms, situation.case.snapshot)
    problem = f"no node for {node_terms_text(terms)}: {miss}" if miss else obstacle.text
    command = _change_rules(situation)
    return Advice(problem, "label nodes so that one of them meets it, or change the rules", command)


def _room(obstacle: Obstacle, situation: Situation) -> Advice:
    resource, room = obstacle.cause["resource"], obstacle.cause["allocatable"]
    if resource == PODS:
        return Advice(obstacle.text, "wait until there are fewer, or add nodes")
    if resource.startswith(_KVM) and not room:
        text = "KubeVirt offers the device where the hardware can virtualize"
        return Advice(obstacle.text, text, f"kubectl describe node {situation.nodes[0]}")
    if field := _FORKLIFT_REQUESTS.get(resource):
        text = f"make room, add nodes, or ask for less: {field} of the ForkliftController"
        return Advice(obstacle.text, text)
    return Advice(obstacle.text, "wait until there is room, or add nodes")


def _not_near(obstacle: Obstacle, situation: Situation) -> Advice:
    term = obstacle.cause["term"]
    rule = rule_text(Verb.REQUIRE, term)
    miss = near_misses.of_pod_term(term, situation.pod, situation.case)
    if not miss:
        return Advice(obstacle.text, _why_not_near(situation))
    unscoped = term.get("namespaceSelector") is None and not term.get("namespaces")
    if unscoped and situation.case.reading.scope is Scope.OWN:
        command = _patch(situation.case.plan, "--rule-scope", "all")
        return Advice(f"{rule}: {miss}", "let the rules look into all namespaces", command)
    command = _change_rules(situation)
    return Advice(f"{rule}: {miss}", "start such a pod, or change the rule", command)


def _why_not_near(situation: Situation) -> str:
    snapshot = situation.case.snapshot
    reject = pod_affinity(situation.pod, snapshot)
    if all(reject(node) for node in snapshot.nodes):
        return "one pod has to meet all REQUIRE rules on pods at once"
    return "the nodes near such a pod have something else in the way"


def _keeps_away(obstacle: Obstacle, situation: Situation) -> Advice:
    command = _change_rules(situation)
    return Advice(obstacle.text, "wait until it is gone, or make a wish of it: REPEL", command)


def _kept_away(obstacle: Obstacle, _situation: Situation) -> Advice:
    namespace, _, name = obstacle.cause["pod"].partition("/")
    command = f"kubectl get pod {name} -n {namespace} -o yaml"
    return Advice(obstacle.text, "it is that pod's own anti-affinity", command)


def _change_rules(situation: Situation) -> str:
    sources = situation.case.reading.sources
    command = _patch(situation.case.plan, "--convertor-affinity", "RULES")
    if sources.spec.affinity and not sources.annotations.affinity:
        return command.replace("convertor", "mtv", 1)  # kubectl mtv writes the spec
    return command


def _patch(plan: Plan, flag: str, value: str) -> str:
    return (
        f"kubectl convertor patch plan {plan.name} -n {plan.namespace} {flag} {shlex.quote(value)}"
    )


_REMEDIES: dict[Kind, Callable[[Obstacle, Situation], Advice]] = {
    Kind.CORDON: _cordon,
    Kind.TAINT: _taint,
    Kind.LABEL: _label,
    Kind.NODE_TERMS: _node_terms,
    Kind.ROOM: _room,
    Kind.NOT_NEAR: _not_near,
    Kind.KEEPS_AWAY: _keeps_away,
    Kind.KEPT_AWAY: _kept_away,
}
