from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.kube.fakeapi import FakeApi, running
from webhook.kube.api.client import Client, connect


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with running() as api:
        yield api


@pytest.fixture
def client(api: FakeApi, tmp_path: Path) -> Client:
    return connect(api.kubeconfig(tmp_path))


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Keep what threads log out of the output of pytest."""
    with capture_logs():
        yield
