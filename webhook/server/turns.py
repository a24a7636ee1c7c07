"""Turns of the event loop, and the time that reviews get in each.

All requests that have arrived run in the same turn: a hundred reviews that take 3 ms each would
delay probes, and the reviews of other clients, by 300 ms. A review waits for a later turn when this
one has been long enough, in the order of arrival. The first one of each client gets more time, so
that a client with a hundred of them hardly delays those of others. A client is an address.
"""

import asyncio
from time import perf_counter

MAX_SECONDS = 0.01
"""From the first review of a turn to the beginning of the last one."""

MAX_SECONDS_OF_FIRST = 0.02
"""To the beginning of a client's first review."""


class Turns:
    """The turns of the event loop in which reviews begin."""

    def __init__(self) -> None:
        self._number = 0
        self._started: float | None = None
        """On the clock of `perf_counter`; None before the first review of a turn."""
        self._clients: set[str] = set()
        """Those with a review in this turn."""

    async def wait(self, client: str, begun: int | None = None) -> int:
        """Wait for a turn with time for a review of this client, and return its number.

        A review that has `begun` in this turn does not wait.
        """
        while begun != self._number and not self._begin(client):  # noqa: ASYNC110 - the loop's turns
            await asyncio.sleep(0)
        return self._number

    def _begin(self, client: str) -> bool:
        now = perf_counter()
        if self._started is None:
            self._started = now
            asyncio.get_running_loop().call_soon(self._end)
        limit = MAX_SECONDS if client in self._clients else MAX_SECONDS_OF_FIRST
        if now - self._started > limit:
            return False
        self._clients.add(client)
        return True

    def _end(self) -> None:
        self._number += 1
        self._started = None
        self._clients.clear()
