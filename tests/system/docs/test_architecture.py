"""docs/architecture.md has a line for every folder, and the pages name no path that is missing."""

import re
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest

import certs
import webhook
from tests.support.paths import ROOT

PACKAGES = [Path(*package.__path__) for package in (webhook, certs)]
"""The folder that the packages are imported from; in `make wheel` it is not the checkout."""

PAGE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
PATH = re.compile(
    r"(?<![\w/.-])((?:webhook|certs|tests|charts|examples|benchmarks)/[\w./-]*\w|\w[\w/]*/\w+\.py)"
)
MODULE = re.compile(r"-m ((?:tests|benchmarks|certs)[\w.]*)")


def folders() -> set[str]:
    """Return the folders with modules, as the page writes them."""
    return {
        f"{module.parent.relative_to(package.parent)}/"
        for package in PACKAGES
        for module in package.rglob("*.py")
        if module.parent != package
    }


def test_every_folder_has_one_line_and_no_line_names_another() -> None:
    listed = re.findall(r"^\| `([\w/]+/)` \|", PAGE, re.MULTILINE)

    assert sorted(listed) == sorted(folders())


def test_pure_folders_are_those_of_the_contract() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    [pure] = (each for each in contracts["contracts"] if each["name"].startswith("Pure folders"))
    modules = [name.replace(".", "/") + "/" for name in pure["source_modules"]]
    expected = {
        folder
        for folder in folders()
        if not folder.startswith("webhook/kube/api/")
        and any(folder.startswith(module) for module in modules)
    }
    listed = re.findall(r"^\| `([\w/]+/)` \|.*\| yes \|$", PAGE, re.MULTILINE)

    assert {*listed} == expected


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_and_module_that_a_page_names_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    tops = [ROOT, *PACKAGES, *(package.parent for package in PACKAGES)]
    missing = [
        path for path in PATH.findall(text) if not any((top / path).exists() for top in tops)
    ]

    assert missing == []
    assert [name for name in MODULE.findall(text) if find_spec(name) is None] == []
