"""What to change so that a convertor pod can run somewhere."""

from collections import Counter

import msgspec

from webhook.kube.objects import Json
from webhook.kube.scheduler import Verdict, run_filters
from webhook.model import Mode
from webhook.reports.explain.context import Case
from webhook.reports.explain.model import Advice
from webhook.reports.explain.obstacles import Obstacle, obstacles
from webhook.reports.explain.pods import enforced
from webhook.reports.explain.remedies import Situation, remedy, to_enforce

_WAYS = 3
"""Sets of obstacles that are looked at, those of most nodes."""


def advise_on_new(verdicts: list[Verdict], case: Case, pod: Json) -> list[Advice]:
    """Return what to do about a new pod, if no node fits.

    What would help is seen by the pod as enforce makes it: where another mode is in force, the
    settings are not in the pod that is there.
    """
    if not verdicts or any(verdict.fits for verdict in verdicts):
        return []
    if case.mode is Mode.ENFORCE:
        return _in_the_way(verdicts, case, pod)
    placed = enforced(pod, case) or pod
    verdicts = run_filters(placed, case.snapshot)
    if fitting := sum(verdict.fits for verdict in verdicts):
        helps = f"{_nodes(fitting)} could take the pod as the plan wants it"
        return [to_enforce(f"the mode is {case.mode}: {helps}", case)]
    all_this = f"the mode is {case.mode}: all this is for pods as enforce makes them"
    return [*_in_the_way(verdicts, case, placed), to_enforce(all_this, case)]


def _in_the_way(verdicts: list[Verdict], case: Case, pod: Json) -> list[Advice]:
    """Return what is in the way on the nodes that lack least; first what a command changes."""
    in_the_way = {verdict.node: obstacles(verdict) for verdict in verdicts}
    advice: list[Advice] = []
    for obstacle, closest in _closest(in_the_way):
        everywhere = all(_has(each, obstacle) for each in in_the_way.values())
        said = remedy(obstacle, Situation(case, pod, closest))
        advice.append(msgspec.structs.replace(said, nodes=[] if everywhere else closest))
    return sorted(advice, key=lambda each: not each.command)


def advise_on_waiting(verdicts: list[Verdict], case: Case, renewed: Json) -> list[Advice]:
    """Return what to do about a pod that waits, with the verdicts on it.

    `renewed` is what it would be if it was made now: changes reach only such pods.
    """
    if fitting := sum(verdict.fits for verdict in verdicts):
        problem = f"{_nodes(fitting)} could take the pod that waits"
        return [Advice(problem, "the scheduler tries again by itself; see what is not judged")]
    new = run_filters(renewed, case.snapshot)
    if fitting := sum(verdict.fits for verdict in new):
        problem = f"{_nodes(fitting)} could take the pod if it was made now"
        return [Advice(problem, "settings reach only pods that are made after them")]
    in_the_way = advise_on_new(new, case, renewed)
    return [*in_the_way, _LATER] if in_the_way else []


_LATER = Advice("the pod that waits stays as it is", "changes reach only pods that are made later")


def _closest(in_the_way: dict[str, list[Obstacle]]) -> list[tuple[Obstacle, list[str]]]:
    """Return the obstacles of the nodes that have fewest, each with those nodes."""
    fewest = min(map(len, in_the_way.values()))
    closest = {name: found for name, found in in_the_way.items() if len(found) == fewest}
    ways = Counter(_keys(found) for found in closest.values()).most_common(_WAYS)
    chosen = {keys for keys, _ in ways}
    nodes: dict[str, tuple[Obstacle, list[str]]] = {}
    for name, found in closest.items():
        for obstacle in found if _keys(found) in chosen else ():
            nodes.setdefault(obstacle.key, (obstacle, []))[1].append(name)
    return list(nodes.values())


def _nodes(count: int) -> str:
    return f"{count} node{'s' if count != 1 else ''}"


def _keys(found: list[Obstacle]) -> tuple[str, ...]:
    return tuple(sorted(each.key for each in found))


def _has(found: list[Obstacle], obstacle: Obstacle) -> bool:
    return any(each.key == obstacle.key for each in found)
