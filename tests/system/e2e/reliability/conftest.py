"""Clients that create pods without pause, and the table of the results."""

from collections.abc import Iterator

import pytest

from tests.system.controlplane.api import Api, Json
from tests.system.e2e.pod_results import created
from tests.system.e2e.preparation import add_namespace
from tests.system.e2e.reliability.creators import Creators
from tests.system.e2e.reliability.numbers import Row, keep, table
from tests.system.e2e.reliability.running import TARGET
from tests.system.guide.forklift import Generation, convertor_pod
from tests.system.guide.rows import ROWS, Form

_NUMBERS = pytest.StashKey[list[Row]]()


@pytest.fixture(scope="session")
def numbers(request: pytest.FixtureRequest) -> list[Row]:
    """Return the rows of the table, which is printed at the end."""
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
    """Create a Plan, and return a convertor pod of each generation for it."""
    add_namespace(api, TARGET)
    plan = ROWS["labels"].plan(Form.ANNOTATIONS, TARGET)
    plan["metadata"]["name"] = TARGET
    with created(api, plan) as made:
        yield [convertor_pod(generation, made) for generation in Generation]


@pytest.fixture
def creators(api: Api, pods: list[Json]) -> Creators:
    """Return clients that create pods during a `with` block."""
    return Creators(api, pods)
