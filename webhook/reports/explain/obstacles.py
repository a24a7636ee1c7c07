"""Obstacles between a pod and a node, each of which a single change would remove."""

from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

from webhook.karl.decompile import format_node_terms, format_pod_term, format_spread
from webhook.karl.syntax import Verb
from webhook.karl.text import format_topology
from webhook.kube.messages import format_count
from webhook.kube.objects import Json
from webhook.kube.scheduler import Rejection, Verdict
from webhook.kube.scheduler.inter_pod_affinity import AFFINITY, ANTI_AFFINITY
from webhook.kube.scheduler.node_unschedulable import PLUGIN as NODE_UNSCHEDULABLE
from webhook.kube.scheduler.node_unschedulable import TAINT as CORDON_TAINT
from webhook.kube.scheduler.resources import PODS
from webhook.kube.tolerations import format_toleration
from webhook.reports.explain.amounts import format_amount


class Kind(StrEnum):
    CORDON = "cordon"
    TAINT = "taint"
    NODE_SELECTOR = "node selector"
    NODE_AFFINITY = "node affinity"
    RESOURCES = "resources"
    SPREAD = "spread"
    SPREAD_LABEL = "label of spread"
    """The label of the topology that a hard SPREAD counts pods by."""
    POD_AFFINITY = "pod affinity"
    POD_ANTI_AFFINITY = "pod anti-affinity"
    EXISTING_ANTI_AFFINITY = "existing anti-affinity"
    """The anti-affinity of another pod."""


class Obstacle(NamedTuple):
    """An obstacle on a node."""

    kind: Kind
    text: str
    """In short: `taint gpu:NoSchedule`."""
    cause: Json
    """As in a `Rejection`."""
    key: str
    """Equal for the same obstacle on other nodes."""


def collect_obstacles(verdict: Verdict) -> list[Obstacle]:
    """Return all obstacles on a node, each once."""
    found = [each for rejection in verdict.rejections for each in find_obstacles(rejection)]
    return list({each.key: each for each in found}.values())


def find_obstacles(rejection: Rejection) -> Iterator[Obstacle]:
    """Yield the obstacles that a filter rejects a node for."""
    if rejection.plugin == NODE_UNSCHEDULABLE:
        yield _CORDON
    for cause in rejection.causes:
        yield _describe_cause(cause, rejection.reasons[0])


_CORDON = Obstacle(Kind.CORDON, "cordoned", {}, "cordon")


def _describe_cause(cause: Json, reason: str) -> Obstacle:
    match cause:
        case {"nodeSelector": selector}:
            ((key, value),) = selector.items()
            text = f"no label {key}={value}"
            return Obstacle(Kind.NODE_SELECTOR, text, cause, text)
        case {"nodeSelectorTerms": terms}:
            text = f"does not match {format_node_terms(terms)}"
            return Obstacle(Kind.NODE_AFFINITY, text, cause, text)
        case {"resource": resource}:
            text = _describe_resources(resource, cause)
            return Obstacle(Kind.RESOURCES, text, cause, f"resource {resource}")
        case {"constraint": constraint}:
            return _describe_spread(constraint, cause)
        case {"term": term}:
            return _describe_term(term, cause, reason)
    return _describe_taint(cause)


def _describe_taint(taint: Json) -> Obstacle:
    if taint["key"] == CORDON_TAINT["key"]:
        return _CORDON
    text = f"taint {format_toleration(taint)}"
    return Obstacle(Kind.TAINT, text, taint, text)


def _describe_term(term: Json, cause: Json, reason: str) -> Obstacle:
    if reason == AFFINITY:
        text = f"no matching pod nearby: {format_pod_term(Verb.REQUIRE, term)}"
        return Obstacle(Kind.POD_AFFINITY, text, cause, text)
    rule, pod = format_pod_term(Verb.AVOID, term), cause["pod"]
    if reason == ANTI_AFFINITY:
        return Obstacle(Kind.POD_ANTI_AFFINITY, f"pod {pod} is nearby: {rule}", cause, rule)
    text = f"anti-affinity of pod {pod}: {rule}"
    return Obstacle(Kind.EXISTING_ANTI_AFFINITY, text, cause, text)


def _describe_spread(constraint: Json, cause: Json) -> Obstacle:
    rule, key, domain = format_spread(constraint), constraint["topologyKey"], cause.get("domain")
    if domain is None:
        text = f"no label {key}, by which {rule} counts"
        return Obstacle(Kind.SPREAD_LABEL, text, cause, text)
    pods = format_count(cause["matching"], "matching pod")
    other = f"{cause['fewest'] or 'none'} in another"
    text = f"{format_topology(key)} {domain} has {pods}, {other}: {rule}"
    return Obstacle(Kind.SPREAD, text, cause, rule)


def _describe_resources(resource: str, cause: Json) -> str:
    used, allocatable = cause["used"], cause["allocatable"]
    if resource == PODS:
        return f"pods: {used} of {allocatable} used"
    amounts = (cause["requested"], max(0, allocatable - used), allocatable)
    requested, free, total = (format_amount(resource, amount) for amount in amounts)
    return f"{resource}: {requested} requested, {free} of {total} free"
