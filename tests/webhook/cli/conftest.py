"""Commands are run in this process, against a cluster in memory."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.support.fake_cluster import FakeCluster, Run
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
def cluster(monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    """Have a cluster, and every command connect to it."""
    fake = FakeCluster()

    def connect(kubeconfig: Path | None, context: str, *, user_agent: str) -> FakeCluster:
        assert user_agent == "kubectl-convertor"
        return fake

    monkeypatch.setattr("webhook.kube.api.client.connect", connect)
    return fake
