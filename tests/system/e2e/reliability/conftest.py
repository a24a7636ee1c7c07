"""Pods without pause, and what they come to in numbers."""

from collections.abc import Iterator

import pytest

from tests.system.controlplane.api import Api, Json
from tests.system.e2e.arrival import created
from tests.system.e2e.reliability.creators import Creators
from tests.system.e2e.reliability.numbers import Row, keep, table
from tests.system.e2e.reliability.running import TARGET
from tests.system.e2e.setting import add_namespace
from tests.system.guide.forklift import Generation, convertor_pod
from tests.system.guide.rows import ROWS, Form

_NUMBERS = pytest.StashKey[list[Row]]()


@pytest.fixture(scope="session")
def numbers(request: pytest.FixtureRequest) -> list[Row]:
    """Collect the numbers, which are printed at the end."""
    return request.config.stash.setdefault(_NUMBERS, [])


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if rows := config.stash.get(_NUMBERS, []):
        text = table(rows)
        terminalreporter.section("reliability")
        terminalreporter.write(text)
        if config.getoption("--update-golden"):
            keep(text)


@pytest.fixture(scope="session")
def pods(api: Api) -> Iterator[list[Json]]:
    """Return a convertor pod of each generation, of a Plan that is there."""
    add_namespace(api, TARGET)
    plan = ROWS["labels"].plan(Form.ANNOTATIONS, TARGET)
    plan["metadata"]["name"] = TARGET
    with created(api, plan) as made:
        yield [convertor_pod(generation, made) for generation in Generation]


@pytest.fixture
def creators(api: Api, pods: list[Json]) -> Creators:
    """Return somebody who creates pods, for a `with`."""
    return Creators(api, pods)
