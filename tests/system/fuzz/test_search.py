"""The search finds what is planted in a target. The times are computed, so no test measures."""

from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from benchmarks.budget import Budget
from tests.system.fuzz import clock, durations, slow_inputs, targets
from tests.system.fuzz.durations import conclude
from tests.system.fuzz.recipe import Recipe
from tests.system.fuzz.search import Search
from tests.system.fuzz.targets import TARGETS, Target

STEPS = 150


@pytest.fixture(autouse=True)
def _computed_times(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, discarded_logs: None) -> None:
    monkeypatch.setattr(clock, "measure", lambda run: run())
    monkeypatch.setattr(clock, "calibrate", lambda: 0.01)
    monkeypatch.setattr(durations, "FOLDER", tmp_path)


def search(
    seconds: Callable[[str], float], monkeypatch: pytest.MonkeyPatch
) -> tuple[list[Budget], list[str]]:
    """Search a target whose run on a text takes this long; return the broken budgets and files."""
    target = Target(
        lambda: {"text": "a=b", "other": "c"},
        {"text": 2**16, "other": 2**10},
        lambda made: lambda: seconds(made["text"]),
        typed=True,
    )
    monkeypatch.setitem(targets.TARGETS, "planted", target)
    found = Search(target, Random(1))
    for _ in range(STEPS):
        found.step()
    result = conclude("planted", target, found)
    broken = [budget for budget in result.budgets() if not budget.met]
    for path in result.reproducers:
        assert Path(path).stat().st_size > 0
    return broken, result.reproducers


def test_a_time_that_grows_as_the_size_breaks_no_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    assert search(lambda text: 0.001 + 5e-7 * len(text), monkeypatch) == ([], [])


def test_a_slow_input_breaks_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    [budget], files = search(lambda text: 0.001 + 2e-5 * text.count(","), monkeypatch)

    assert "calibration loops of the slowest input" in budget.name
    assert len(files) == 1


def test_quadratic_growth_breaks_the_budget_even_if_the_time_is_short(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    [budget], files = search(lambda text: 0.001 + 5e-11 * text.count(",") ** 2, monkeypatch)

    assert "time when the size doubles" in budget.name
    assert 3.5 < budget.measured < 4.5
    assert len(files) == 1


def test_an_exception_breaks_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    def seconds(text: str) -> float:
        if ";" in text:
            raise ZeroDivisionError
        return 0.001

    [budget], files = search(seconds, monkeypatch)

    assert "exceptions" in budget.name
    assert len(files) == 1


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_is_searched(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def run_once(run: Callable[[], object]) -> float:
        run()
        return 0.5  # so that only the smallest input of each recipe is made

    monkeypatch.setattr(clock, "measure", run_once)
    search = Search(TARGETS[name], Random(1))
    for _ in range(20):
        search.step()

    assert search.inputs >= 5
    assert search.errors == {}


@pytest.mark.parametrize("name", slow_inputs.SLOW_INPUTS)
def test_a_slow_input_is_accepted_in_a_small_size(name: str) -> None:
    target_name, growths = slow_inputs.SLOW_INPUTS[name]
    target = TARGETS[target_name]
    recipe = Recipe(target.document, growths)

    sized = target.make_maker(recipe).make(target.size(target.document, recipe.part) + 20_000)

    assert sized
    target.prepare(sized.made)()
