"""kubectl itself sends the requests that tests/support/kubeconfig_rows.py says it sends."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.kubeconfig_rows import ROWS, Row, expected, prepare
from tests.support.recording_servers import Recorder, run_recorder
from tests.system.controlplane.programs import program

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def recorder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorder]:
    with run_recorder(tmp_path_factory.mktemp("recorder")) as recorder:
        yield recorder


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_kubectl_sends_the_request_of_the_row(row: Row, recorder: Recorder, tmp_path: Path) -> None:
    recorder.sent.clear()
    recorder.connected.clear()
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)} | prepare(row, recorder, tmp_path)
    context = ["--context", row.context] if row.context else []
    kubectl = subprocess.run(
        [program("kubectl"), "get", "--raw", "/version", *context],
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=60,
    )
    if row.unlike_kubectl:
        assert (recorder.sent, recorder.connected) != expected(row)
        return
    assert (recorder.sent, recorder.connected) == expected(row)
    assert (kubectl.returncode == 0) == (row.sent is not None)
