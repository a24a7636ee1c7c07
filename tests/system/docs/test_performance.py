"""docs/performance.md has the numbers of the raw data in benchmarks/results."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from benchmarks import document
from benchmarks.load import Rate

PAGE = document.PATH.read_text()
SCRIPTS = ("run", "cluster")


def raw(script: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((document.RESULTS / f"{script}.json").read_text())
    return found


def section(script: str) -> str:
    return PAGE.partition(f"benchmarks/{script}.py --write -->")[2].partition("<!-- end of")[0]


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_section_links_to_raw_data_of_the_same_run(script: str) -> None:
    assert f"(../benchmarks/results/{script}.json)" in section(script)
    assert f"Measured on {raw(script)['measured']}." in section(script)


def test_the_rates_of_the_page_are_those_of_the_raw_data() -> None:
    data = raw("run")
    reviews, cpu = (
        data["reviews/s, by round"],
        data["µs of the server's CPU for a review, by round"],
    )
    rates = {
        name: [
            Rate(*each) for each in zip(reviews[name], [us / 1e6 for us in cpu[name]], strict=True)
        ]
        for name in reviews
    }

    expected = ["| " + " | ".join(row) + " |" for row in document.rates(rates)]
    assert [line for line in section("run").splitlines() if line in expected] == expected


def test_the_page_has_no_raw_data() -> None:
    assert "```json" not in PAGE
    assert max(map(len, PAGE.splitlines())) < 200


def test_a_run_replaces_its_section_and_its_raw_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "performance.md"
    page.write_text(PAGE)
    monkeypatch.setattr(document, "PATH", page)
    monkeypatch.setattr(document, "RESULTS", tmp_path / "results")

    document.put("run", "the results", {"µs": [1, 2], "bytes": {"0": 3}})

    written = page.read_text()
    assert written == PAGE.replace(
        section("run"), "\n\nthe results\n\n[Raw data](../benchmarks/results/run.json)\n\n"
    )
    text = (tmp_path / "results/run.json").read_text()
    assert json.loads(text).keys() == {"measured", "µs", "bytes"}
    assert re.search(r'^  "µs": \[1, 2\],$', text, re.MULTILINE)
