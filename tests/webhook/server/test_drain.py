"""The time at which a draining server stops.

A tick has the seconds since the signal, the requests until then and the open connections.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.server.drain import Drain, DrainTimes

TIMES = DrainTimes(at_least=6, quiet=2, at_most=25)
Tick = tuple[float, int, int]


def find_stop(ticks: list[Tick]) -> float | None:
    """Return the seconds of the tick at which the drain is over."""
    drain = Drain(TIMES, requests=100, now=1000.0)
    for seconds, requests, connections in ticks:
        if drain.is_over(100 + requests, connections, 1000.0 + seconds):
            return seconds
    return None


def tick_every_second(requests_until: float, connections_until: float = 0) -> list[Tick]:
    """Return a minute of ticks with a request each second, and a connection, until these times."""
    return [
        (float(second), int(min(second, requests_until)), int(second < connections_until))
        for second in range(60)
    ]


@pytest.mark.parametrize(
    ("requests_until", "stopped"),
    [(0, 6), (3, 6), (4, 6), (5, 7), (10, 12), (22, 24), (23, 25), (60, 25)],
)
def test_the_server_stops_after_a_quiet_time_between_minimum_and_maximum(
    requests_until: float, stopped: float
) -> None:
    assert find_stop(tick_every_second(requests_until)) == stopped


@pytest.mark.parametrize(
    ("connections_until", "stopped"), [(0, 6), (6, 6), (7, 7), (24, 24), (60, 25)]
)
def test_the_server_waits_until_connections_are_closed(
    connections_until: float, stopped: float
) -> None:
    assert find_stop(tick_every_second(3, connections_until)) == stopped


@given(st.lists(st.tuples(st.integers(1, 60), st.integers(0, 3), st.integers(0, 1)), max_size=200))
def test_the_server_never_stops_early_or_with_requests_or_connections(
    steps: list[tuple[int, int, int]],
) -> None:
    seconds, requests, ticks = 0.0, 0, []
    for step, more, connections in steps:
        seconds, requests = seconds + step / 10, requests + more
        ticks.append((seconds, requests, connections))
    stop = find_stop(ticks)
    if stop is None:
        assert all(tick < TIMES.at_most for tick, *_ in ticks)
    elif stop < TIMES.at_most:
        assert stop >= TIMES.at_least
        ((total, connections),) = (rest for tick, *rest in ticks if tick == stop)
        assert not connections
        assert all(count == total for tick, count, _ in ticks if stop - TIMES.quiet < tick <= stop)
