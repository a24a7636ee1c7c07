"""Told as a list of ticks: seconds since the signal, and how many requests there have been."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.drain import Drain, Times

TIMES = Times(at_least=6, quiet=2, at_most=25)
Tick = tuple[float, int]


def stopped_at(ticks: list[Tick]) -> float | None:
    drain = Drain(TIMES, requests=100, now=1000.0)
    for seconds, requests in ticks:
        if drain.over(100 + requests, 1000.0 + seconds):
            return seconds
    return None


def every_second(requests_until: float) -> list[Tick]:
    return [(float(second), int(min(second, requests_until))) for second in range(60)]


@pytest.mark.parametrize(
    ("requests_until", "stopped"),
    [(0, 6), (3, 6), (4, 6), (5, 7), (10, 12), (22, 24), (23, 25), (60, 25)],
)
def test_it_stops_when_it_has_been_quiet_but_neither_soon_nor_late(
    requests_until: float, stopped: float
) -> None:
    assert stopped_at(every_second(requests_until)) == stopped


@given(st.lists(st.tuples(st.integers(1, 60), st.integers(0, 3)), max_size=200))
def test_it_never_stops_before_its_time_nor_while_requests_come(
    steps: list[tuple[int, int]],
) -> None:
    seconds, requests, ticks = 0.0, 0, []
    for step, more in steps:
        seconds, requests = seconds + step / 10, requests + more
        ticks.append((seconds, requests))
    stop = stopped_at(ticks)
    if stop is None:
        assert all(tick < TIMES.at_most for tick, _ in ticks)
    elif stop < TIMES.at_most:
        assert stop >= TIMES.at_least
        total = dict(ticks)[stop]
        assert all(count == total for tick, count in ticks if stop - TIMES.quiet < tick <= stop)
