from collections.abc import Iterator
from pathlib import Path

import pytest

from kube.client import Client, connect
from tests.kube.fakeapi import FakeApi, running


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with running() as api:
        yield api


@pytest.fixture
def client(api: FakeApi, tmp_path: Path) -> Client:
    return connect(api.kubeconfig(tmp_path))
