"""One control plane with a release of the webhook, for all of these tests."""

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.system.controlplane.api import Api
from tests.system.controlplane.cluster import ControlPlane
from tests.system.controlplane.release import Release
from tests.system.e2e.planes import ends_of_logs, started_plane
from tests.system.e2e.preparation import MAIN, PLACED, await_placing, furnish

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.e2e)
            item.add_marker(pytest.mark.timeout(400))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the end of every log to the report of a failure."""
    report = yield
    if report.failed:
        report.sections += ends_of_logs(item.session)
    return report


@pytest.fixture(scope="session")
def plane(request: pytest.FixtureRequest) -> Iterator[ControlPlane]:
    """Start the control plane."""
    with started_plane(request.session) as plane:
        furnish(plane.admin)
        yield plane


@pytest.fixture(scope="session")
def api(plane: ControlPlane) -> Api:
    """Return the administrator's API client."""
    return plane.admin


@pytest.fixture(scope="session")
def release(plane: ControlPlane) -> Iterator[Release]:
    """Install the chart with its default values, for the namespace `PLACED`."""
    release = Release(plane, MAIN)
    try:
        release.install()
        release.start()
        await_placing(release, PLACED)
        yield release
    finally:
        release.kill()
