"""Reviews a second and the time that one takes, against other applications on the same server."""

import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from benchmarks import load
from benchmarks.load import Connection, Target

CONNECTIONS = 8


class Rates(NamedTuple):
    """Answers a second of each server, round by round."""

    rounds: dict[str, list[float]]

    def ratio(self, name: str, to: str) -> float:
        """The median over rounds of one server's rate over another's in the same round."""
        pairs = zip(self.rounds[name], self.rounds[to], strict=True)
        return statistics.median(ours / theirs for ours, theirs in pairs)

    def median(self, name: str) -> float:
        return statistics.median(self.rounds[name])


async def rates(
    targets: Mapping[str, Target], requests: Sequence[bytes], rounds: int, seconds: float
) -> Rates:
    """Drive each server in turn at its limit, again and again."""
    connections = {
        name: await load.connect(target, CONNECTIONS) for name, target in targets.items()
    }
    for opened in connections.values():
        await load.throughput(opened, requests, seconds)
    found: dict[str, list[float]] = {name: [] for name in targets}
    for number in range(rounds):
        # Each round begins with another one, so that none is always after the same.
        names = [*targets][number % len(targets) :] + [*targets][: number % len(targets)]
        for name in names:
            found[name].append(await load.throughput(connections[name], requests, seconds))
    _close(connections)
    return Rates(found)


async def latencies(
    targets: Mapping[str, Target], requests: Sequence[bytes], rate: float, seconds: float
) -> dict[str, list[float]]:
    """Send each server `rate` requests a second, all at the same time and out of step.

    They share whatever else the machine is busy with.
    """
    ...


def _close(connections: Mapping[str, Sequence[Connection]]) -> None:
    for opened in connections.values():
        for connection in opened:
            connection.transport.abort()
