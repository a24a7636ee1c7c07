"""Commands in outputs have the flags that selected the cluster."""

import os
import shlex
from pathlib import Path

import pytest

from tests.support.builders import namespace, plan
from tests.support.commands import Run
from tests.support.fake_api import FakeApi
from tests.support.printed_commands import check
from tests.support.releases import release

CONTRADICTION = plan(spec={"convertorLabels": {"batch": "1"}}, labels="batch=2")
PATCH = "kubectl patch plans.forklift.konveyor.io db -n konveyor-forklift --type merge -p "
LABEL = "kubectl label namespace vms convertor=on"


@pytest.fixture
def kubeconfig(cluster: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a file that only a flag selects."""
    file = tmp_path / "a kubeconfig"
    file.write_bytes(Path(os.environ["KUBECONFIG"]).read_bytes())
    monkeypatch.delenv("KUBECONFIG")
    return file


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("show -o wide", PATCH),
        ("explain plan db", PATCH),
        ("audit", PATCH),
        ("patch plan db --convertor-labels batch=3", PATCH),
        ("patch plan db --mode audit", PATCH),
        ("show -o wide", LABEL),
        ("explain plan db -o json", LABEL),
        ("audit", LABEL),
    ],
)
def test_a_printed_command_is_for_the_cluster_of_the_command(
    run: Run, cluster: FakeApi, kubeconfig: Path, words: str, expected: str
) -> None:
    opt_in = {"namespaceSelector": {"matchLabels": {"convertor": "on"}}}
    cluster.add(CONTRADICTION, namespace("vms"), *release(selectors=opt_in))
    result = run(*words.split(), "--kubeconfig", str(kubeconfig))
    lines = [line for line in result.output.splitlines() if expected in line]
    assert lines
    for line in lines:
        command = line[line.index(expected) :].rstrip('", ')
        assert shlex.split(command)[-2:] == ["--kubeconfig", str(kubeconfig)]
        check(command)
