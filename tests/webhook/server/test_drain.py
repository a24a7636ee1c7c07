"""Told as a list of ticks: seconds since the signal, requests until then, open connections."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.server.drain import Drain, DrainTimes

TIMES = DrainTimes(at_least=6, quiet=2, at_most=25)
Tick = tuple[float, int, int]


def stopped_at(ticks: list[Tick]) -> float | None:
    drain = Drain(TIMES, requests=100, now=1000.0)
    for seconds, requests, connections in ticks:
        if drain.is_over(100 + requests, connections, 1000.0 + seconds):
            return seconds
    return None


def every_second(requests_until: float, connections_until: float = 0) -> list[Tick]:
    return [
        (float(second), int(min(second, requests_until)), int(second < connections_until))
        for second in range(60)
    ]


@pytest.mark.parametrize(
    ("requests_until", "stopped"),
    [(0, 6), (3, 6), (4, 6), (5, 7), (10, 12), (22, 24), (23, 25), (60, 25)],
)
def test_it_stops_when_it_has_been_quiet_but_neither_soon_nor_late(
    requests_until: float, stopped: float
) -> None:
    assert stopped_at(every_second(requests_until)) == stopped


@pytest.mark.parametrize(
    ("connections_until", "stopped"), [(0, 6), (6, 6), (7, 7), (24, 24), (60, 25)]
)
def test_it_waits_for_those_who_hold_a_connection(connections_until: float, stopped: float) -> None:
    assert stopped_at(every_second(3, connections_until)) == stopped


@given(st.lists(st.tuples(st.integers(1, 60), st.integers(0, 3), st.integers(0, 1)), max_size=200))
def test_it_never_stops_before_its_time_nor_while_somebody_is_there(
    steps: list[tuple[int, int, int]],
) -> None:
    seconds, requests, ticks = 0.0, 0, []
    for step, more, connections in steps:
        seconds, requests = seconds + step / 10, requests + more
        ticks.append((seconds, requests, connections))
    stop = stopped_at(ticks)
    if stop is None:
        assert all(tick < TIMES.at_most for tick, *_ in ticks)
    elif stop < TIMES.at_most:
        assert stop >= TIMES.at_least
        ((total, connections),) = (rest for tick, *rest in ticks if tick == stop)
        assert not connections
        assert all(count == total for tick, count, _ in ticks if stop - TIMES.quiet < tick <= stop)
