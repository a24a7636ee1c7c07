"""Commands run in the process of the tests, against the fake API server."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.support.commands import Run
from tests.support.fake_api import FakeApi
from webhook.cli.kubectl import group


@pytest.fixture
def run() -> Run:
    """Run `kubectl convertor` with these words; options are those of CliRunner."""

    def run(*words: str, **options: Any) -> Result:
        result = CliRunner().invoke(group, words, prog_name="kubectl convertor", **options)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


@pytest.fixture
def cluster(api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeApi]:
    """Make the fake API server the cluster of the current context."""
    kubeconfig = api.write_kubeconfig(tmp_path, namespace="konveyor-forklift")
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    yield api
    assert {request.headers["user-agent"] for request in api.requests} <= {"kubectl-convertor"}
