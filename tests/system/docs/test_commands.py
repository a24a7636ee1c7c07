"""Every command in the docs, the examples and the outputs runs as it is printed."""

import re
from pathlib import Path

import click
import pytest

from tests.support.paths import ROOT
from tests.support.printed_commands import VARIABLE, check, find_commands

PAGES = [
    *(ROOT / "docs").rglob("*.md"),
    *ROOT.glob("*.md"),
    *ROOT.glob("charts/*/README.md"),
    *ROOT.glob(".github/ISSUE_TEMPLATE/*.yaml"),
    *ROOT.glob("plugins/*.yaml"),
    *ROOT.glob("examples/plans/*.yaml"),
    *(ROOT / "tests" / "webhook").rglob("expected/*.text"),
    *(ROOT / "tests" / "webhook").rglob("expected/*.yaml"),
]
COMMANDS = sorted(
    {
        (str(page.relative_to(ROOT)), command)
        for page in PAGES
        for command in find_commands(page.read_text(encoding="utf-8"))
    }
)


def test_there_are_commands_of_all_kinds() -> None:
    pages = {page for page, _ in COMMANDS}
    assert pages >= {
        "README.md",
        "docs/audit.md",
        "docs/cli.md",
        "docs/troubleshooting.md",
        "examples/plans/patching.yaml",
        "tests/webhook/reports/explain/expected/advice.yaml",
    }


@pytest.mark.parametrize(("page", "command"), COMMANDS)
def test_a_command_runs_as_printed(
    page: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert page
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (tmp_path / "plans").mkdir()
    (tmp_path / VARIABLE).touch()
    for name in re.findall(r"\b[a-z.]+\.(?:yaml|json|karl|crt)\b", command):
        Path(name).touch()
    check(command)


@pytest.mark.parametrize(
    "command",
    [
        "kubectl mtv patch plan db --convertor-affinity 'RULES'",
        "kubectl mtv create plan --name db --source-provider vmware --vms a",
        "kubectl describe plan db",
        "kubectl get certificate -A",
        "kubectl logs -l app=web | grep x",
        "kubectl get nodes --namspace x",
        "kubectl get pods -l plan=$(kubectl get plan db)",
        "kubectl get pod x -o yaml | kubectl convertor review -f - --plans VARIABLE",
        "helm upgrade RELEASE CHART --reuse-values",
    ],
)
def test_a_command_that_does_not_run_is_found(command: str) -> None:
    with pytest.raises((AssertionError, click.UsageError)):
        check(command)
