"""Completion of commands, flags and names, in shells and in kubectl."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.builders import plan
from tests.support.commands import Run
from tests.support.fake_api import FakeApi
from webhook.cli import completion

BIN = Path(sys.executable).parent


class Candidates:
    """The lines that `kubectl_complete-convertor` prints when kubectl calls it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, *words: str) -> list[str]:
        self._monkeypatch.setattr(sys, "argv", ["kubectl_complete-convertor", *words])
        with pytest.raises(SystemExit) as ended:
            completion.candidates()
        assert ended.value.code == 0
        printed = self._capsys.readouterr()
        assert printed.err == ""
        return printed.out.splitlines()


@pytest.fixture
def candidates(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Candidates:
    return Candidates(monkeypatch, capsys)


def test_commands_are_completed_with_their_summaries(candidates: Candidates) -> None:
    assert candidates("ka") == ["karl\tCompile, check or explain KARL rules.", ":4"]
    *commands, directive = candidates("")
    assert {line.partition("\t")[0] for line in commands} >= {"patch", "show", "karl", "review"}
    assert directive == ":4"


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        (["patch", ""], ["plan", ":4"]),
        (["patch", "x"], [":4"]),
        (["patch", "plan", "d"], ["db", ":4"]),
        (["patch", "plan", ""], ["db", "web", ":4"]),
        (["patch", "-n", "shop", "plan", ""], ["till", ":4"]),
        (["patch", "plan", "db", ""], [":4"]),
        (["patch", "migration", ""], [":4"]),
        (["show", "plan", "w"], ["web", ":4"]),
        (["patch", "plan/"], ["plan/db", "plan/web", ":4"]),
        (["show", "plans.forklift.konveyor.io/w"], ["plans.forklift.konveyor.io/web", ":4"]),
        (["explain", "-n", "shop", "plan/"], ["plan/till", ":4"]),
        (["patch", "migration/"], [":4"]),
        (["patch", "plan", "plan/"], [":4"]),
        (["patch", "plan", "db", "--mode", ""], ["enforce", "audit", "off", ":4"]),
        (["patch", "plan", "db", "--affinity-policy", "r"], ["replace", ":4"]),
        (["patch", "plan", "db", "--rule-scope", ""], ["all", "own", ":4"]),
        (["patch", "plan", "db", "--dry-run", "c"], ["client", ":4"]),
        (["patch", "plan", "db", "--disks", ""], ["any", "together", ":4"]),
        (
            ["patch", "plan", "db", "--pods", ""],
            ["all", "convertor", "inspection", "first-consumer", "importer", "populator", ":4"],
        ),
        (
            ["patch", "plan", "db", "--pods", "convertor,i"],
            ["convertor,inspection", "convertor,importer", ":4"],
        ),
        (["patch", "plan", "db", "--importer-l"], ["--importer-labels", ":4"]),
        (["patch", "plan", "db", "--aff"], ["--affinity-policy", ":4"]),
        (["review", "-f", ""], [":0"]),
        (["review", "--plan", ""], [":0"]),
        (["karl", "--filename", "x"], [":0"]),
        (["show", "--kubeconfig", ""], [":0"]),
        (["completion", "z"], ["zsh", ":4"]),
        (["nosuch", "--h"], ["--help", ":4"]),
    ],
)
def test_arguments_and_values_are_completed(
    candidates: Candidates, cluster: FakeApi, words: list[str], lines: list[str]
) -> None:
    cluster.add(plan(), plan("web"), plan("till", "shop"))
    assert [line.partition("\t")[0] for line in candidates(*words)] == lines


CONFIG = "{apiVersion: v1, kind: Config, contexts: [{name: %s}, {name: both}]}\n"


def test_contexts_of_all_kubeconfigs_are_completed(
    candidates: Candidates, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("kind", "prod"):
        (tmp_path / name).write_text(CONFIG % name, encoding="utf-8")
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path / 'kind'}:{tmp_path / 'none'}:{tmp_path / 'prod'}")
    assert candidates("show", "--context", "") == ["kind", "both", "prod", ":4"]
    assert candidates("audit", "--context", "p") == ["prod", ":4"]
    words = ("patch", "plan", "db", "--kubeconfig", str(tmp_path / "kind"), "--context", "")
    assert candidates(*words) == ["kind", "both", ":4"]


@pytest.mark.parametrize("text", ["", "a: [", "contexts: 5", "contexts: [{}]", "- a", "\xff"])
def test_an_invalid_kubeconfig_completes_nothing(
    candidates: Candidates, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str
) -> None:
    (tmp_path / ".kube").mkdir()
    (tmp_path / ".kube" / "config").write_bytes(text.encode("latin-1"))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert candidates("show", "--context", "") == [":4"]


def test_plans_are_completed_with_one_request(candidates: Candidates, cluster: FakeApi) -> None:
    candidates("patch", "plan", "d")
    assert cluster.request_lines == [
        "GET /apis/forklift.konveyor.io/v1beta1/namespaces/konveyor-forklift/plans?limit=500"
    ]


def test_a_forbidden_request_completes_nothing(candidates: Candidates, cluster: FakeApi) -> None:
    cluster.forbid("list")
    assert candidates("patch", "plan", "") == [":4"]


def test_without_a_cluster_nothing_is_completed(
    candidates: Candidates, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    assert candidates("patch", "plan", "") == [":4"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_the_script_of_a_shell(
    run: Run, monkeypatch: pytest.MonkeyPatch, shell: str
) -> None:
    result = run("completion", shell)
    assert (result.exit_code, result.stderr) == (0, "")
    assert f"_KUBECTL_CONVERTOR_COMPLETE={shell}_complete" in result.stdout
    assert "kubectl-convertor" in result.stdout


def test_an_unknown_shell_is_an_error_with_the_known_ones(run: Run) -> None:
    result = run("completion", "tcsh")
    assert result.exit_code == 2
    assert result.stderr.endswith(
        "Error: Invalid value for '{bash|fish|zsh}': 'tcsh' is not one of 'bash', 'fish', 'zsh'.\n"
    )


def test_bash_completes_with_the_printed_script() -> None:
    script = """
        PATH="$1:$PATH"
        eval "$(kubectl-convertor completion bash)"
        COMP_WORDS=(kubectl-convertor pat) COMP_CWORD=1
        "$(complete -p kubectl-convertor | sed -E 's/.*-F ([^ ]+) .*/\\1/')" kubectl-convertor
        echo "${COMPREPLY[@]}"
    """
    command = ["bash", "-c", script, "bash", str(BIN)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("patch\n", "")


def test_the_plugin_has_the_file_names_that_kubectl_expects() -> None:
    for name in ("kubectl-convertor", "kubectl_complete-convertor"):
        assert (BIN / name).exists()
