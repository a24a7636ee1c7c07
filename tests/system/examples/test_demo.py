"""`make demo` runs, and docs/demo.svg is its picture."""

import re
import subprocess
import sys
from pathlib import Path

from tests.support.paths import ROOT


def texts(picture: str) -> list[str]:
    """Return the texts of a picture, without the IDs and positions that differ between runs."""
    return re.findall(r">([^<>]+)<", picture)


def test_the_demo_places_all_pods_and_its_picture_is_that_of_the_readme(tmp_path: Path) -> None:
    picture = tmp_path / "demo.svg"
    command: list[str | Path] = [sys.executable, ROOT / "examples" / "demo.py", "--svg", picture]
    run = subprocess.run(command, capture_output=True, text=True, check=False)

    assert run.returncode == 0, run.stderr
    assert "2 of 2 pods placed as their plans specify." in run.stdout
    expected = (ROOT / "docs" / "demo.svg").read_text(encoding="utf-8")
    assert texts(picture.read_text(encoding="utf-8")) == texts(expected)
