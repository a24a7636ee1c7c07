"""Freed memory that goes back to the system when connections are closed."""

import ctypes

import pytest

from webhook.server import memory
from webhook.server.memory import MIN_PEAK, Trimmer


@pytest.mark.parametrize(
    ("open_connections", "trimmed_at"),
    [
        ([0, 50, 0, MIN_PEAK - 1, 0], []),
        ([MIN_PEAK, 60, 50, 49, 10, 0], [49]),
        ([0, 600, 300, 299, 150, 149, 80, 74, 0], [299, 149, 74]),
        ([600, 0, 600, 0], [0, 0]),
    ],
)
def test_memory_is_returned_when_most_connections_are_closed(
    open_connections: list[int], trimmed_at: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    trimmed: list[int] = []
    trimmer = Trimmer()
    for number in open_connections:
        monkeypatch.setattr(memory, "trim", lambda number=number: trimmed.append(number))
        trimmer.observe(number)
    assert trimmed == trimmed_at


def test_a_c_library_without_the_function_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    memory.trim()
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: object())
    memory.trim()
