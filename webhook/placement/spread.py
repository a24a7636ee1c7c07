"""The topology spread constraints of a placed pod."""

from typing import NamedTuple

from webhook.karl.decompile import format_spread
from webhook.karl.text import format_topology
from webhook.kube.messages import quote
from webhook.kube.objects import Json
from webhook.kube.spread import counts_tainted_nodes, is_hard, spread_key
from webhook.settings.rules import describe_ignored_taints


class PlacedSpread(NamedTuple):
    """The constraints of a placed pod."""

    constraints: list[Json]
    notes: list[str]
    """A sentence for each constraint that is not applied."""


def place_spread(present: list[Json], wanted: list[Json], kubernetes: int | None) -> PlacedSpread:
    """Return the pod's constraints, which are kept, and the others.

    The API server rejects a pod with two constraints of the same topology and kind. `kubernetes` is
    the minor version of the cluster; a plan has no constraint that it does not support, but what
    the installation enforces may have one.
    """
    own = {spread_key(each): each for each in present}
    placed = list(present)
    notes: list[str] = []
    for each in wanted:
        if is_hard(each) and counts_tainted_nodes(kubernetes):
            notes.append(f"{quote(format_spread(each))}: {describe_ignored_taints(kubernetes)}")
        elif spread_key(each) not in own:
            placed.append(each)
        elif own[spread_key(each)] != each:
            notes.append(describe_conflict(each, "the pod has"))
    return PlacedSpread(placed, notes)


def describe_conflict(constraint: Json, owner: str) -> str:
    """Return why a constraint is not applied; `owner` has another one: `the pod has`."""
    kind = "hard" if is_hard(constraint) else "soft"
    topology = format_topology(constraint["topologyKey"])
    return (
        f"{quote(format_spread(constraint))} is not applied, because {owner} another {kind} "
        f"constraint on {topology}"
    )
