"""`kubectl convertor` as a whole: its commands, imports, exit codes and errors."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.commands import Run
from tests.support.fake_api import FakeApi
from tests.support.paths import ROOT
from webhook.cli import kubectl
from webhook.cli.options import installation
from webhook.server import config

RULE = "REQUIRE pods(app=ceph-osd) on node"


def test_the_help_lists_all_commands(run: Run) -> None:
    lines = run("--help").stdout.splitlines()
    listed = [line.split()[0] for line in lines[lines.index("Commands:") + 1 :]]
    assert listed == ["audit", "completion", "explain", "karl", "patch", "review", "show"]


def test_an_unknown_command_is_an_error_with_a_hint(run: Run) -> None:
    result = run("pach", "plan", "db")
    assert result.exit_code == 2
    assert result.stderr == (
        "Usage: kubectl convertor [OPTIONS] COMMAND [ARGS]...\n"
        "Try 'kubectl convertor --help' for help.\n\n"
        "Error: no such command 'pach'; did you mean 'patch'?\n"
    )


def test_the_version_is_that_of_the_package(run: Run) -> None:
    assert run("--version").stdout == "0.1.0\n"


@pytest.mark.parametrize("name", ["completion", "karl", "patch", "review", "show"])
def test_every_command_has_examples_in_its_help(run: Run, name: str) -> None:
    result = run(name, "--help")
    assert f"    kubectl convertor {name} " in result.stdout.partition("  Examples:\n")[2]
    assert max(map(len, result.stdout.splitlines())) <= 100


LOADED = """
import sys
sys.argv = ["kubectl-convertor", *sys.argv[1:]]
from webhook.cli.kubectl import main
try:
    main()
except SystemExit as done:
    loaded = {name.partition(".")[0] for name in sys.modules}
    heavy = loaded & {"kubernetes", "fastapi", "uvicorn", "cryptography", "lark"}
    print(done.code, *sorted(heavy), file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("words", "loaded"),
    [
        (["completion", "bash"], "0"),
        (["karl", RULE], "0 lark"),
        (["show", "--plans", "examples/plans"], "0 lark"),
        (["review", "-f", "examples/review.json", "--plan", "examples/plans"], "0 lark"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_command_imports_no_heavy_package_that_it_does_not_need(
    words: list[str], loaded: str
) -> None:
    command = [sys.executable, "-c", LOADED, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stderr == f"{loaded}\n"


QUICK = """
import importlib, json, sys
HEAVY = {
    "asyncio", "cryptography", "fastapi", "importlib.metadata", "jsonpatch", "kubernetes", "lark",
    "rich", "structlog", "urllib3", "uvicorn", "webhook.settings", "yaml",
}
module, function, calls = sys.argv[1:]
run = getattr(importlib.import_module(module), function)
for words in json.loads(calls):
    sys.argv = ["kubectl-convertor", *words]
    try:
        run()
    except SystemExit:
        pass
    print(words, *sorted(HEAVY & set(sys.modules)), file=sys.stderr)
"""


def heavy(module: str, function: str, calls: list[list[str]]) -> list[str]:
    """Return the slow packages that a program has imported after each of these calls."""
    command = [sys.executable, "-c", QUICK, module, function, json.dumps(calls)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.count("\n") > len(calls)
    return done.stderr.splitlines()


def test_help_imports_no_slow_package() -> None:
    calls = [["--help"], *([name, "--help"] for name in kubectl.COMMANDS)]
    assert heavy("webhook.cli.kubectl", "main", calls) == list(map(str, calls))


def test_completion_imports_no_slow_package() -> None:
    calls = [["k"], *([name, "--"] for name in kubectl.COMMANDS), ["show", "plan", "-o", ""]]
    assert heavy("webhook.cli.completion", "candidates", calls) == list(map(str, calls))


def test_flags_have_the_same_variables_as_in_the_server() -> None:
    assert installation.ENVIRONMENT == config.ENVIRONMENT


def test_an_internal_error_is_reported_without_a_stack_trace(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _break(monkeypatch, "karl", RULE)
    with pytest.raises(SystemExit) as ended:
        kubectl.main()
    assert ended.value.code == 70
    assert capsys.readouterr().err == (
        "Error: unexpected ZeroDivisionError: boom\n"
        "This is an internal error; please report it with the output of --debug, given before the "
        "command's name.\n"
    )


def test_debug_prints_the_stack_trace(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _break(monkeypatch, "--debug", "karl", RULE)
    with pytest.raises(SystemExit):
        kubectl.main()
    assert capsys.readouterr().err.startswith("Traceback (most recent call last):\n")


def _break(monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    def boom(*_: object, **__: object) -> None:
        raise ZeroDivisionError("boom")

    monkeypatch.setattr("webhook.karl.compile_all", boom)
    monkeypatch.setattr(sys, "argv", ["kubectl-convertor", *words])


def test_a_missing_kubeconfig_exits_with_3(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    result = run("show")
    assert result.exit_code == 3
    assert result.stderr == (
        f"Error: no cluster: no file of KUBECONFIG exists ('{tmp_path / 'none'}'), and this is not "
        "a pod; try --kubeconfig FILE\n"
    )


def test_a_cluster_without_forklift_exits_with_3(run: Run, cluster: FakeApi) -> None:
    cluster.unserved.add("plans")
    result = run("show")
    assert result.exit_code == 3
    assert result.stderr == (
        f"Error: {cluster.server} does not serve plans "
        "of forklift.konveyor.io/v1beta1: is their CustomResourceDefinition installed?\n"
    )


def test_rejected_credentials_exit_with_3(run: Run, cluster: FakeApi) -> None:
    cluster.token = "valid"
    result = run("patch", "plan", "db", "--mode", "off")
    assert result.exit_code == 3
    assert result.stderr == (
        f"Error: {cluster.server} does not accept the credentials: they are wrong or have expired\n"
    )


def test_invalid_defaults_are_reported_with_their_place(run: Run, tmp_path: Path) -> None:
    defaults = tmp_path / "defaults.yaml"
    defaults.write_text("label: {a: b}\n", encoding="utf-8")
    result = run("show", "--plans", str(tmp_path), "--defaults", str(defaults))
    assert result.exit_code == 2
    assert result.stderr.endswith(
        f"Error: '{defaults}' label: unknown field: expected affinity, affinityPolicy, disks, "
        "labels, nodeSelector, podAnnotations, pods, priorityClass, resources, roles or "
        "tolerations; did you mean 'labels'?\n"
    )
