"""The files for GitHub, Renovate and pre-commit are valid."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from check_jsonschema.builtin_schemas import get_builtin_schema  # type: ignore[import-untyped]
from jsonschema import Draft7Validator  # type: ignore[import-untyped]

TOP = Path(__file__).parents[3]
GITHUB = TOP / ".github"
FORMS = sorted(path for path in (GITHUB / "ISSUE_TEMPLATE").glob("*.yaml"))


def load(path: Path) -> Any:
    text = path.read_text(encoding="utf-8")
    return json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)


@pytest.mark.parametrize(
    ("path", "schema"),
    [
        (GITHUB / "renovate.json", "vendor.renovate"),
        (GITHUB / "ISSUE_TEMPLATE/config.yml", "vendor.github-issue-config"),
        *((path, "vendor.github-issue-forms") for path in FORMS),
    ],
    ids=lambda value: value.name if isinstance(value, Path) else "",
)
def test_a_file_is_valid_by_its_schema(path: Path, schema: str) -> None:
    errors = Draft7Validator(get_builtin_schema(schema)).iter_errors(load(path))

    assert [error.message for error in errors] == []


def test_a_bug_report_requires_versions_explanation_and_logs() -> None:
    form = load(GITHUB / "ISSUE_TEMPLATE/bug_report.yaml")
    required = {
        field["id"] for field in form["body"] if field.get("validations", {}).get("required")
    }

    assert required >= {"forklift", "kubernetes", "webhook", "explain", "logs"}


def test_renovate_updates_every_locked_file() -> None:
    [pattern] = load(GITHUB / "renovate.json")["pip-compile"]["managerFilePatterns"]
    locked = sorted(path.name for path in (TOP / "requirements").glob("*.txt"))

    assert locked
    assert [
        name for name in locked if not re.search(pattern.strip("/"), f"requirements/{name}")
    ] == []


def test_pre_commit_hooks_use_the_tools_of_the_project() -> None:
    config = load(TOP / ".pre-commit-config.yaml")

    assert [repo["repo"] for repo in config["repos"]] == ["local"]
    assert {hook["language"] for hook in config["repos"][0]["hooks"]} == {"system"}
