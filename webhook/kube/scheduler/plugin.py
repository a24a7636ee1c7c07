"""Types of the filter plugins."""

from collections.abc import Callable

import msgspec

from webhook.kube.objects import Json
from webhook.kube.scheduler.snapshot import Snapshot


class Rejection(msgspec.Struct, frozen=True):
    """The result of a filter that rejects a node."""

    plugin: str
    """kube-scheduler's name of the filter."""
    reasons: list[str]
    """kube-scheduler's own texts, by which it counts nodes in the message of the pod."""
    causes: list[Json] = []
    """Every object that the filter rejects the node for, in a form that is the filter's own."""


Filter = Callable[[Json], Rejection | None]
"""Takes a node."""

Plugin = Callable[[Json, Snapshot], Filter]
"""Takes the pod and the snapshot, and does once what is the same for every node."""
