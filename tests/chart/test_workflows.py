"""CI and release run what is there, and nothing that somebody else could exchange."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yaml"))

every_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)


def test_workflows_are_what_github_takes() -> None:
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema=vendor.github-workflows"]

    subprocess.run([*check, *WORKFLOWS], check=True, capture_output=True)


@every_workflow
def test_every_action_is_pinned_to_a_commit_and_says_which_version_that_is(path: Path) -> None:
    uses = re.findall(r"uses: (.*)", path.read_text(encoding="utf-8"))

    assert uses
    assert [use for use in uses if not re.fullmatch(r"\S+@[0-9a-f]{40} # v[\d.]+", use)] == []


@every_workflow
def test_every_command_of_make_exists(path: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"run: make (\w+)", path.read_text(encoding="utf-8")))

    assert {target for target in named if f"\n{target}:" not in makefile} == set()
