"""Throughput and latency of several applications on the same server."""

import asyncio
import statistics
from collections.abc import Mapping, Sequence
from time import perf_counter

from benchmarks import load
from benchmarks.load import Connection, Rate, Target

CONNECTIONS = 8


async def rates(
    targets: Mapping[str, Target], requests: Sequence[bytes], rounds: int, seconds: float
) -> dict[str, list[Rate]]:
    """Measure the maximum throughput of each server, alternately."""
    opened = await _connect(targets)
    for connections in opened.values():
        await load.throughput(connections, requests, seconds)
    found: dict[str, list[Rate]] = {name: [] for name in targets}
    for number in range(rounds):
        # Each round begins with another server, so that the order has no influence.
        first = number % len(targets)
        for name in [*targets][first:] + [*targets][:first]:
            before, began = targets[name].cpu(), perf_counter()
            reviews = await load.throughput(opened[name], requests, seconds)
            cpu = (targets[name].cpu() - before) / (reviews * (perf_counter() - began))
            found[name].append(Rate(reviews, cpu))
    _close(opened)
    return found


async def latencies(
    targets: Mapping[str, Target],
    requests: Sequence[bytes],
    rate: float,
    rounds: int,
    seconds: float,
) -> dict[str, list[list[float]]]:
    """Send each server `rate` requests per second, to all servers during the same time.

    So other load of the machine affects all of them. Returns the seconds of each request, for each
    round.
    """
    opened = await _connect(targets)
    for connections in opened.values():
        await load.throughput(connections, requests, 0.3)
    step = 1 / rate / len(targets)
    found: dict[str, list[list[float]]] = {name: [] for name in targets}
    for _ in range(rounds):
        runs = [
            load.latencies(connections, requests, rate, seconds, delay=number * step)
            for number, connections in enumerate(opened.values())
        ]
        for name, times in zip(targets, await asyncio.gather(*runs), strict=True):
            found[name].append(times)
    _close(opened)
    return found


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Return the median of the ratios of each round."""
    return statistics.median(mine / other for mine, other in zip(ours, theirs, strict=True))


def percentile(times: Sequence[float], at: int) -> float:
    return sorted(times)[min(len(times) * at // 100, len(times) - 1)]


async def _connect(targets: Mapping[str, Target]) -> dict[str, list[Connection]]:
    return {name: await load.connect(target, CONNECTIONS) for name, target in targets.items()}


def _close(opened: Mapping[str, Sequence[Connection]]) -> None:
    for connections in opened.values():
        for connection in connections:
            connection.transport.abort()
