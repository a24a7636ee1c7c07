"""What to change so that a convertor pod can run somewhere."""

from collections import Counter

import msgspec

from webhook.explain.case import Case
from webhook.explain.model import Advice
from webhook.explain.obstacles import Obstacle, obstacles
from webhook.explain.remedies import Situation, remedy
from webhook.model import Json
from webhook.scheduling import Verdict

_WAYS = 3
"""Sets of obstacles that are looked at, those of most nodes."""


def advise(verdicts: list[Verdict], case: Case, pod: Json) -> list[Advice]:
    """Return what is in the way on the nodes that lack least, if there is no node for the pod."""
    if not verdicts or any(verdict.fits for verdict in verdicts):
        return []
    in_the_way = {verdict.node: obstacles(verdict) for verdict in verdicts}
    advice: list[Advice] = []
    for obstacle, closest in _closest(in_the_way):
        everywhere = all(_has(each, obstacle) for each in in_the_way.values())
        said = remedy(obstacle, Situation(case, pod, closest))
        advice.append(msgspec.structs.replace(said, nodes=[] if everywhere else closest))
    return advice


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


def _keys(found: list[Obstacle]) -> tuple[str, ...]:
    return tuple(sorted(each.key for each in found))


def _has(found: list[Obstacle], obstacle: Obstacle) -> bool:
    return any(each.key == obstacle.key for each in found)
