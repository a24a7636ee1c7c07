"""Refused importers count until they are admitted, or are not tried again."""

import pytest

from webhook.model import Outcome
from webhook.telemetry import refusals
from webhook.telemetry.refusals import MAX_IDLE_SECONDS, Refusals, RefusalsStatus

A, B = ("vms", "importer-a"), ("vms", "importer-b")


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def refused(clock: Clock) -> Refusals:
    return Refusals(clock)


def test_the_longest_time_is_between_the_refusals_of_one_importer(
    refused: Refusals, clock: Clock
) -> None:
    for key, seconds in ((A, 0), (B, 10), (A, 20), (B, 15)):
        clock.now += seconds
        refused.record(key, Outcome.REFUSED)

    assert refused.status() == RefusalsStatus(2, 35)


def test_time_without_a_refusal_does_not_count(refused: Refusals, clock: Clock) -> None:
    refused.record(A, Outcome.REFUSED)
    clock.now += 100

    assert refused.status() == RefusalsStatus(1, 0)


@pytest.mark.parametrize("outcome", [each for each in Outcome if each is not Outcome.REFUSED])
def test_an_importer_with_another_outcome_no_longer_counts(
    refused: Refusals, outcome: Outcome
) -> None:
    refused.record(A, Outcome.REFUSED)
    refused.record(A, outcome)

    assert refused.status() == RefusalsStatus()


def test_an_importer_that_is_not_tried_again_no_longer_counts(
    refused: Refusals, clock: Clock
) -> None:
    refused.record(A, Outcome.REFUSED)
    clock.now += MAX_IDLE_SECONDS + 1

    assert refused.status() == RefusalsStatus()


def test_an_importer_of_the_same_name_is_another_one_after_a_long_time(
    refused: Refusals, clock: Clock
) -> None:
    refused.record(A, Outcome.REFUSED)
    clock.now += MAX_IDLE_SECONDS + 1
    refused.record(A, Outcome.REFUSED)

    assert refused.status() == RefusalsStatus(1, 0)


def test_memory_is_limited(refused: Refusals, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "MAX_IMPORTERS", 2)
    for number in range(5):
        refused.record(("vms", f"importer-{number}"), Outcome.REFUSED)

    assert refused.status().count == 2
