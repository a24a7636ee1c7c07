"""What a filter says of a pod and a node."""

from collections.abc import Callable

import msgspec

from webhook.kube.objects import Json
from webhook.kube.scheduler.snapshot import World


class Rejection(msgspec.Struct, frozen=True):
    """Why one of the scheduler's filters does not let the pod onto the node."""

    plugin: str
    """The filter, by the scheduler's name for it."""
    reasons: list[str]
    """In the scheduler's own words; it counts the nodes of each in what it says of the pod."""
    causes: list[Json] = []
    """What stands in the way, everything of it: its form is that of the filter."""


Filter = Callable[[Json], Rejection | None]
"""Of a node: why the pod may not run there."""

Plugin = Callable[[Json, World], Filter]
"""Of a pod and a world: the filter, with everything done that is the same for all nodes."""
