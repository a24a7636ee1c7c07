"""The order and the number of reviews in each turn of the event loop, with a clock of their own."""

import asyncio
from collections.abc import Coroutine

import pytest

from webhook.server import turns
from webhook.server.turns import MAX_SECONDS, Turns

REVIEW_SECONDS = MAX_SECONDS * 0.6
"""Two reviews begin in MAX_SECONDS, four in MAX_SECONDS_OF_FIRST."""


class Loop:
    """Runs reviews that take time on its clock, and records who begins in which turn."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun: list[tuple[int, str]] = []
        self.turns = Turns()
        self.now = 0.0
        monkeypatch.setattr(turns, "perf_counter", lambda: self.now)

    async def review(self, client: str) -> None:
        self.begun.append((await self.turns.wait(client), client))
        self.now += REVIEW_SECONDS

    def run(self, *reviews: Coroutine[None, None, None]) -> list[tuple[int, str]]:
        async def together() -> None:
            await asyncio.gather(*reviews)

        asyncio.run(together())
        return self.begun


def test_reviews_of_a_client_wait_for_a_turn_with_time(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = Loop(monkeypatch)
    begun = loop.run(*(loop.review("a") for _ in range(5)))
    assert begun == [(0, "a"), (0, "a"), (1, "a"), (1, "a"), (2, "a")]


def test_the_first_review_of_another_client_does_not_wait_for_all_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop = Loop(monkeypatch)
    begun = loop.run(*(loop.review("a") for _ in range(4)), loop.review("b"), loop.review("b"))
    assert begun == [(0, "a"), (0, "a"), (0, "b"), (1, "a"), (1, "a"), (1, "b")]


def test_many_clients_share_a_turn_too(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = Loop(monkeypatch)
    begun = loop.run(*(loop.review(f"{number}") for number in range(6)))
    assert [turn for turn, _ in begun] == [0, 0, 0, 0, 1, 1]


def test_a_review_waits_again_only_in_a_later_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = Loop(monkeypatch)

    async def begin_twice(pause: int) -> None:
        turn = await loop.turns.wait("a")
        loop.now += 2 * MAX_SECONDS
        for _ in range(pause):
            await asyncio.sleep(0)
        await loop.turns.wait("a", turn)
        loop.begun.append((loop.turns._number, "a"))

    asyncio.run(begin_twice(0))
    asyncio.run(begin_twice(3))
    assert loop.begun == [(0, "a"), (2, "a")]


def test_others_run_between_the_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = Loop(monkeypatch)

    async def probe() -> None:
        await asyncio.sleep(0)
        loop.begun.append((0, "probe"))

    begun = loop.run(*(loop.review("a") for _ in range(100)), probe())
    assert begun.index((0, "probe")) == 4
