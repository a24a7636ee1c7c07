"""docs/architecture.md names every module, and none that is not there."""

import re
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
TEXT = (TOP / "docs/architecture.md").read_text()


def presented(package: str) -> set[str]:
    """Return the modules in the tables below where a package is introduced."""
    text = TEXT.partition(f"\n`{package}/` ")[2]
    text = re.split(r"^`\w+/` |^The arrows ", text, maxsplit=1, flags=re.MULTILINE)[0]
    rows = re.findall(r"^\| (`[^|]*)\|", text, re.MULTILINE)
    return set(re.findall(r"`(\w+)`", "".join(rows)))


@pytest.mark.parametrize("package", ["certs"])
def test_the_architecture_has_every_module(package: str) -> None:
    there = {path.stem for path in (TOP / package).glob("[!_]*.py")}
    there |= {path.parent.name for path in (TOP / package).glob("*/__init__.py")}
    assert presented(package) == there
