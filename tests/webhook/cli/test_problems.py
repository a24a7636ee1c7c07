"""Commands in problems have the flags that selected the cluster."""

import os
import shlex
from pathlib import Path

import pytest

from tests.support.builders import plan
from tests.support.commands import Run
from tests.support.fake_api import FakeApi
from tests.support.printed_commands import check
from tests.support.releases import release

CONTRADICTION = plan(spec={"convertorLabels": {"batch": "1"}}, labels="batch=2")
COMMAND = "kubectl patch plans.forklift.konveyor.io db -n konveyor-forklift --type merge -p "


@pytest.mark.parametrize(
    "words",
    [
        ["show", "-o", "wide"],
        ["explain", "plan", "db"],
        ["audit"],
        ["patch", "plan", "db", "--convertor-labels", "batch=3"],
        ["patch", "plan", "db", "--mode", "audit"],
    ],
    ids=" ".join,
)
def test_the_command_in_a_problem_is_for_the_cluster_of_the_command(
    run: Run, cluster: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    cluster.add(CONTRADICTION, *release())
    kubeconfig = tmp_path / "a kubeconfig"
    kubeconfig.write_bytes(Path(os.environ["KUBECONFIG"]).read_bytes())
    monkeypatch.delenv("KUBECONFIG")
    (line, *_) = (
        line
        for line in run(*words, "--kubeconfig", str(kubeconfig)).output.splitlines()
        if COMMAND in line
    )
    command = line[line.index(COMMAND) :].rstrip()
    assert shlex.split(command)[-2:] == ["--kubeconfig", str(kubeconfig)]
    check(command)
