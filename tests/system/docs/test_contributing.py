"""CONTRIBUTING.md describes the commands that exist and what CI runs."""

import re
import tomllib
from pathlib import Path

import yaml

TOP = Path(__file__).parents[3]
PAGE = (TOP / "CONTRIBUTING.md").read_text()
WORKFLOWS = TOP / ".github/workflows"

ROWS = {
    name: cells.split(" | ")[-1].strip()
    for name, cells in re.findall(r"^\| `make ([\w-]+)` \| (.+) \|$", PAGE, re.MULTILINE)
}
"""The last column of the table, by command."""


def jobs() -> dict[str, str]:
    """Return the scripts of each job of ci.yaml."""
    found = yaml.safe_load((WORKFLOWS / "ci.yaml").read_text())["jobs"]
    return {
        name: "\n".join(step.get("run", "") for step in job["steps"]) for name, job in found.items()
    }


def test_every_command_of_the_table_exists() -> None:
    makefile = (TOP / "Makefile").read_text()

    assert ROWS
    assert [name for name in ROWS if f"\n{name}: " not in makefile] == []


def test_the_table_has_the_commands_with_a_job() -> None:
    run = {
        name
        for script in jobs().values()
        for name in re.findall(r"^make ([\w-]+)$", script, re.MULTILINE)
    }

    assert {name for name, in_ci in ROWS.items() if in_ci != "no"} == run


def test_a_job_without_a_command_is_described() -> None:
    without = [
        name for name, script in jobs().items() if not re.search(r"^make ", script, re.MULTILINE)
    ]

    assert [name for name in without if f"`{name}`" not in PAGE] == []


def test_every_workflow_is_described() -> None:
    assert [path.name for path in WORKFLOWS.iterdir() if f"[{path.name}]" not in PAGE] == []


def test_the_pythons_of_the_table_are_those_of_the_job() -> None:
    matrix = yaml.safe_load((WORKFLOWS / "ci.yaml").read_text())["jobs"]["test"]["strategy"]

    assert ROWS["test"] == "Python " + ", ".join(matrix["matrix"]["python"])


def test_coverage_requires_all_branches_of_the_folders_in_the_contract_for_pure_folders() -> None:
    contracts = tomllib.loads((TOP / "pyproject.toml").read_text())["tool"]["importlinter"]
    [pure] = (each for each in contracts["contracts"] if each["name"].startswith("Pure folders"))
    makefile = (TOP / "Makefile").read_text().replace("\\\n", " ")
    patterns = re.findall(r"^PURE := (.*)$", makefile, re.MULTILINE)[0].split()

    folders = {re.sub(r"/\*$|\.py$", "", pattern).replace("/", ".") for pattern in patterns}
    assert folders == {*pure["source_modules"]}
