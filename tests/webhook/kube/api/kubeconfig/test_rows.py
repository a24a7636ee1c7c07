"""The requests that kubectl sends with each kubeconfig, and the messages where it sends none."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.kubeconfig_rows import ROWS, Row, expected, prepare
from tests.support.recording_servers import Recorder, run_recorder
from webhook.kube.api.client import connect
from webhook.kube.api.errors import ApiError, KubeconfigError


@pytest.fixture(scope="module")
def recorder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorder]:
    with run_recorder(tmp_path_factory.mktemp("recorder")) as recorder:
        yield recorder


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_the_request_is_that_of_kubectl(
    row: Row, recorder: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder.sent.clear()
    recorder.connected.clear()
    for name, value in prepare(row, recorder, tmp_path).items():
        monkeypatch.setenv(name, value)
    message = ""
    try:
        connect(context=row.context).get("/version")
    except (KubeconfigError, ApiError) as error:
        message = str(error)
    assert (recorder.sent, recorder.connected) == expected(row)
    assert row.message in message
    assert bool(message) == (row.sent is None)
