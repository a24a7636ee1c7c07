"""`make demo` runs, and docs/demo.svg is its picture."""

import re
import subprocess
import sys
from pathlib import Path

from tests.support.paths import ROOT


def texts(picture: str) -> list[str]:
    """Return the texts of a picture, without the IDs and positions that differ between runs."""
    return re.findall(r">([^<>]+)<", picture)


def run_demo(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command: list[str | Path] = [sys.executable, "-m", "examples.demo", *words]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return run


def test_the_demo_shows_a_warm_migration_from_first_consumer_to_convertor() -> None:
    output = run_demo().stdout

    roles = re.findall("/role: (.*?) *$|^(Refused)|^─+ (convertor pod),", output, re.MULTILINE)
    assert ["".join(each) for each in roles] == [
        "first-consumer",
        "Refused",
        "first-consumer",
        "importer",
        "convertor pod",
    ]
    assert "8 of 8 pods placed as their plans specify." in output


def test_the_demo_places_all_pods_and_its_picture_is_that_of_the_readme(tmp_path: Path) -> None:
    picture = tmp_path / "demo.svg"
    run = run_demo("--svg", picture)

    assert "2 of 2 pods placed as their plans specify." in run.stdout
    expected = (ROOT / "docs" / "demo.svg").read_text(encoding="utf-8")
    assert texts(picture.read_text(encoding="utf-8")) == texts(expected)
