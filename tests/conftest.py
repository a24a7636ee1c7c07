"""Hypothesis' profiles, and fixtures for golden files and for the fake API server."""

import gc
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.support.fake_api import FakeApi, run_fake_api
from tests.support.golden import Golden
from webhook.kube.api.client import Client, connect

# The same examples in every run, so that a red test is about the change at hand. To search
# for new ones: pytest --hypothesis-profile thorough
hypothesis.settings.register_profile("quick", max_examples=20, derandomize=True, deadline=None)
hypothesis.settings.register_profile(
    "thorough",
    max_examples=2000,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("quick")


def pytest_collection_finish() -> None:
    """Exclude the collected tests from garbage collections, which took a tenth of the time."""
    gc.collect()
    gc.freeze()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="write the output of the tests into the golden files",
    )


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Compare a text with a golden file: `golden(path, text)`."""
    update: bool = request.config.getoption("--update-golden")

    def compare(path: Path, text: str) -> None:
        if update:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert path.exists(), f"{path} is missing: run pytest --update-golden and read the diff"
        assert text == path.read_text(encoding="utf-8")

    return compare


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with run_fake_api() as api:
        yield api


@pytest.fixture
def client(api: FakeApi, tmp_path: Path) -> Client:
    return connect(api.write_kubeconfig(tmp_path))
