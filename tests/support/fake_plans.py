"""A source of plans without plans."""

import asyncio
from collections.abc import Collection, Mapping

from webhook.inventory import PlansStatus
from webhook.model import Plan, PlanRef, Reason


class FakePlans:
    """Plans of which every look-up has the same result."""

    def __init__(self, found: Plan | Reason, fetched: Plan | Reason | None = None) -> None:
        self.found = found
        self.fetched = fetched
        self.fetches: list[float] = []
        """The timeouts of the fetches, in seconds."""
        self.error: Exception | None = None
        """Raised by every look-up."""
        self.hangs = False
        self.state = PlansStatus(synced=True, age_seconds=0.0, count=1, invalid=0)
        self.node_values: Mapping[str, Collection[str]] = {}

    def find(self, ref: PlanRef) -> Plan | Reason:
        if self.error is not None:
            raise self.error
        return self.found

    async def fetch(self, ref: PlanRef, seconds: float) -> Plan | Reason:
        self.fetches.append(seconds)
        if self.hangs:
            await asyncio.Event().wait()
        return self.found if self.fetched is None else self.fetched

    def status(self) -> PlansStatus:
        return self.state

    def start(self) -> None:
        pass

    def stop(self) -> None:
        pass
