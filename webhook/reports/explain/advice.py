"""Advice: what to change if no node fits a plan's convertor pod."""

from collections import Counter
from collections.abc import Iterable
from functools import cache, partial
from itertools import groupby

import msgspec

from webhook.forklift.plan import GROUP
from webhook.kube.messages import format_count
from webhook.kube.objects import Json
from webhook.kube.scheduler import Verdict, run_filters
from webhook.reports.duplicates import REMEDY, DuplicatePods
from webhook.reports.explain.context import ExplainContext
from webhook.reports.explain.model import Advice
from webhook.reports.explain.obstacles import Obstacle, collect_obstacles
from webhook.reports.explain.pods import place_in_mode_enforce
from webhook.reports.explain.remedies import (
    ObstacleContext,
    advise_enforcing,
    advise_on_obstacle,
    explain_pod_affinity,
)

_MAX_OBSTACLE_SETS = 3
"""Sets of obstacles that are reported, those of the most nodes."""


def advise_on_new_pod(verdicts: list[Verdict], context: ExplainContext, pod: Json) -> list[Advice]:
    """Return what to change for a new pod, if no node fits.

    The advice is about the pod as the webhook would place it: otherwise the pod does not have the
    plan's settings.
    """
    if not verdicts or any(verdict.fits for verdict in verdicts):
        return []
    if not context.unplaced_reason:
        return _advise_on_obstacles(verdicts, context, pod)
    placed = place_in_mode_enforce(pod, context) or pod
    verdicts = run_filters(placed, context.snapshot)
    if fitting := sum(verdict.fits for verdict in verdicts):
        problem = f"{context.unplaced_reason}: a placed pod would fit {_nodes(fitting)}"
        return [_advise_placing(problem, context)]
    problem = f"{context.unplaced_reason}: all advice above is for placed pods"
    advice = _advise_on_obstacles(verdicts, context, placed)
    return [*advice, _advise_placing(problem, context)]


def advise_on_exclusions(context: ExplainContext) -> list[Advice]:
    """Return what to change if the target namespace is excluded from the webhook."""
    return [Advice(each.cause, each.remedy, each.command) for each in context.exclusions]


def advise_on_profile(context: ExplainContext, refusal: str) -> list[Advice]:
    """Return what to do about a convertor profile that the API server refuses."""
    if not refusal:
        return []
    namespace = context.plan.target_namespace
    return [
        Advice(
            f"namespace '{namespace}' refuses convertor pods with the convertor profile: {refusal}",
            f"change convertor in the installation, or convertor.namespaces.{namespace} for this "
            "namespace only, or what refuses it",
        )
    ]


def advise_on_duplicates(duplicates: list[DuplicatePods], context: ExplainContext) -> list[Advice]:
    """Return what to do about VMs with several convertor pods, the command once per Migration.

    The patch replaces the list of its VMs, so one command for each VM would cancel the last only.
    """
    advice: list[Advice] = []
    for migration, group in groupby(duplicates, lambda each: each.migration):
        found = list(group)
        command = context.commands.kubectl(
            *("patch", f"migrations.{GROUP}", "MIGRATION", "-n", context.plan.namespace),
            *("--type", "merge", "-p", _cancel(each.vm for each in found)),
        )
        each_of_them = "for each of them: " if len(found) > 1 else ""
        remedy = f"{each_of_them}{REMEDY}; the UID of the Migration is {migration}"
        advice += (Advice(str(each)) for each in found[:-1])
        advice.append(Advice(str(found[-1]), remedy, command))
    return advice


def _cancel(vms: Iterable[str]) -> str:
    return msgspec.json.encode({"spec": {"cancel": [{"id": vm} for vm in vms]}}).decode()


def _advise_placing(problem: str, context: ExplainContext) -> Advice:
    if context.exclusions:
        return Advice(problem, "include the namespace, see above")
    return advise_enforcing(problem, context)


def _advise_on_obstacles(
    verdicts: list[Verdict], context: ExplainContext, pod: Json
) -> list[Advice]:
    """Return the advice for the nodes with the fewest obstacles; that with commands first."""
    by_node = {verdict.node: collect_obstacles(verdict) for verdict in verdicts}
    counts = Counter(key for found in by_node.values() for key in {each.key for each in found})
    explain = cache(partial(explain_pod_affinity, pod, context.snapshot))
    advice: list[Advice] = []
    for obstacle, closest in _find_closest(by_node):
        everywhere = counts[obstacle.key] == len(by_node)
        found = advise_on_obstacle(obstacle, ObstacleContext(context, pod, closest, explain))
        advice.append(msgspec.structs.replace(found, nodes=[] if everywhere else closest))
    return sorted(advice, key=lambda each: not each.command)


def advise_on_pending_pod(
    verdicts: list[Verdict], context: ExplainContext, recreated: Json
) -> list[Advice]:
    """Return what to do about a pending pod, given its verdicts.

    `recreated` is the pod as it would be created now: changed settings apply only to new pods.
    """
    if fitting := sum(verdict.fits for verdict in verdicts):
        problem = f"the pending pod fits {_nodes(fitting)}"
        return [Advice(problem, "kube-scheduler retries by itself; see 'Not evaluated'")]
    recreated_verdicts = run_filters(recreated, context.snapshot)
    if fitting := sum(verdict.fits for verdict in recreated_verdicts):
        problem = f"the pending pod would fit {_nodes(fitting)} if it were created now"
        return [Advice(problem, "settings apply only to pods that are created after them")]
    advice = advise_on_new_pod(recreated_verdicts, context, recreated)
    return [*advice, _UNCHANGED] if advice else []


_UNCHANGED = Advice("the pending pod stays as it is", "changes apply only to pods created later")


def _find_closest(by_node: dict[str, list[Obstacle]]) -> list[tuple[Obstacle, list[str]]]:
    """Return the obstacles of the nodes with the fewest, each with those nodes."""
    fewest = min(map(len, by_node.values()))
    closest = {name: found for name, found in by_node.items() if len(found) == fewest}
    most_common = Counter(map(_keys, closest.values())).most_common(_MAX_OBSTACLE_SETS)
    chosen = {keys for keys, _ in most_common}
    nodes: dict[str, tuple[Obstacle, list[str]]] = {}
    for name, found in closest.items():
        for obstacle in found if _keys(found) in chosen else ():
            nodes.setdefault(obstacle.key, (obstacle, []))[1].append(name)
    return list(nodes.values())


def _nodes(count: int) -> str:
    return format_count(count, "node")


def _keys(found: list[Obstacle]) -> tuple[str, ...]:
    return tuple(sorted(each.key for each in found))
