"""What the webhook knows of the plans, wherever they are: a cluster, a hub, a directory.

A review asks `find`, which is a few dictionary look-ups. Only when that misses does it await
`fetch`, the one step of a review that may touch the world.
"""

from typing import Protocol

import msgspec

from webhook.model import NodeValues, Plan, PlanRef, Reason

MAX_FAULTS = 3
"""In a status; the log has them all."""


class PlansStatus(msgspec.Struct, frozen=True):
    """How far `Plans` can be trusted at this moment."""

    synced: bool
    """Whether everything was read once; it stays true when the source fails later. A cluster
    without Forklift's CustomResourceDefinition has no plans, so there everything is known."""
    age_seconds: float
    """Since the source last confirmed what is known; infinite before it ever did."""
    count: int
    """How many plans are known."""
    invalid: int
    """How many have settings with problems, or could not be read at all."""
    message: str = ""
    """What is wrong with the source, for people; empty when nothing is."""
    fetches: int = 0
    """How often a miss was looked up in the source, ever; in a quiet cluster it stands still."""
    restarts: int = 0
    """How often a watch of the source had to be begun anew after a failure, ever."""


class Plans(Protocol):
    """A source of plans. Thread-safe; `find`, `status` and `node_values` never block."""

    def find(self, ref: PlanRef) -> Plan | Reason:
        """Return the plan, or PLAN_NOT_FOUND, PLAN_AMBIGUOUS or PLANS_NOT_SYNCED."""

    async def fetch(self, ref: PlanRef, seconds: float) -> Plan | Reason:
        """Look the slow way, in at most `seconds`: for a plan that `find` does not have yet."""

    def status(self) -> PlansStatus:
        """Return how far this source can be trusted now."""

    @property
    def node_values(self) -> NodeValues:
        """The values on the nodes of each label key that a plan compares; unknown keys lack."""

    def start(self) -> None:
        """Begin to read and to watch, in the background."""

    def stop(self) -> None:
        """End the watch; what is known stays."""


def in_short(faults: list[str]) -> str:
    """Return the first of these for a status, and how many more there are."""
    more = len(faults) - MAX_FAULTS
    return "; ".join(faults[:MAX_FAULTS] + ([f"and {more} more"] if more > 0 else []))


def our_fault(error: Exception) -> str:
    """Say that something failed which nobody foresaw, and whose trace was logged."""
    return f"a fault of the webhook, see its log: {error!r}"
