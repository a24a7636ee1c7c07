"""What every test may use: how hard hypothesis looks, and files with the expected output."""

import gc
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.support.fake_api import FakeApi, run_fake_api
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
    """Let garbage collections pass by thousands of tests that stay; it was a tenth of the time."""
    gc.collect()
    gc.freeze()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="write what the tests produce into the files with the expected output",
    )


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[Path, str], None]:
    """Compare a text with the file that holds the expected one: `golden(path, text)`."""
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
