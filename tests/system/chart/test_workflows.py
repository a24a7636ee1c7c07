"""Workflows are valid, and run existing commands and pinned actions."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import yaml_files
from tests.support.paths import ROOT
from tests.system.chart.rendering import Json

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yaml"))

every_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)


def test_workflows_are_valid() -> None:
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema=vendor.github-workflows"]

    subprocess.run([*check, *WORKFLOWS], check=True, capture_output=True)


@every_workflow
def test_every_action_is_pinned_to_a_commit_with_its_version(path: Path) -> None:
    uses = re.findall(r"uses: (.*)", path.read_text(encoding="utf-8"))
    others = [use for use in uses if not use.startswith("./")]

    assert others
    assert [use for use in others if not re.fullmatch(r"\S+@[0-9a-f]{40} # v[\d.]+", use)] == []


def jobs(name: str) -> Json:
    path = ROOT / ".github" / "workflows" / name
    found: Json = yaml_files.load(path)["jobs"]
    return found


@every_workflow
def test_every_helm_has_a_pinned_version(path: Path) -> None:
    for job in jobs(path.name).values():
        for step in job.get("steps", ()):
            if step.get("uses", "").startswith("azure/setup-helm@"):
                assert step["with"]["version"]


def test_nothing_is_published_before_ci_has_passed() -> None:
    release = jobs("release.yaml")

    def comes_after(name: str) -> set[str]:
        needs = release[name].get("needs", [])
        needed = {needs} if isinstance(needs, str) else {*needs}
        return needed.union(*map(comes_after, needed))

    (tests,) = (
        name
        for name, job in release.items()
        if job.get("uses") == "./.github/workflows/ci.yaml" and "if" not in job
    )
    assert {*release} - {tests} == {name for name in release if tests in comes_after(name)}
    assert {"image", "chart", "plugin"} <= {*release}
    assert release[tests]["permissions"] == {"contents": "read"}


def test_helm_3_and_helm_4_run_the_test_of_the_chart_with_logs() -> None:
    kind = jobs("ci.yaml")["kind"]
    versions = {each["helm"] for each in kind["strategy"]["matrix"]["include"]}

    assert any(
        "helm test" in step.get("run", "") and "--logs" in step["run"] for step in kind["steps"]
    )
    assert {version.partition(".")[0] for version in versions} == {"v3", "v4"}


@every_workflow
def test_every_make_target_exists(path: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"run: make (\w+)", path.read_text(encoding="utf-8")))

    assert {target for target in named if f"\n{target}:" not in makefile} == set()
