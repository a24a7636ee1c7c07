"""docs/reliability.md has the result of a run of `make fuzz`."""

import re
from collections import Counter
from pathlib import Path

from tests.system.fuzz import document
from tests.system.fuzz.campaign import LAWS
from tests.system.fuzz.document import BEGIN, END, HEAD, Run
from tests.system.fuzz.durations import Measurement, Result
from tests.system.fuzz.recipe import Growth, Recipe
from tests.system.fuzz.targets import TARGETS

PAGE = document.PATH.read_text(encoding="utf-8")
SECTION = PAGE.partition(BEGIN)[2].partition(END)[0]
REVIEWS = r"(\d+) reviews in \d+ s, (\d+) with a patch: "


def test_the_page_has_the_date_the_seed_and_the_versions() -> None:
    assert re.search(r"^Run on \d{4}-\d\d-\d\d with seed \d+, Python 3\.", SECTION, re.MULTILINE)


def test_the_page_has_a_million_reviews_and_no_breach() -> None:
    [(reviews, patched)] = re.findall(REVIEWS, SECTION)

    assert int(reviews) >= 1_000_000
    assert int(patched) > 100_000
    assert ", ".join(f"0 {law}" for law in LAWS) in SECTION


def test_the_page_has_a_row_for_each_target() -> None:
    rows = [line.strip("| ").split(" | ") for line in SECTION.splitlines() if line[:1] == "|"]

    assert rows[0] == [*HEAD]
    assert [row[0] for row in rows[2:]] == [*TARGETS]
    assert {len(row) for row in rows} == {len(HEAD)}


def test_a_run_replaces_the_result_of_the_last_one(tmp_path: Path) -> None:
    page = tmp_path / "reliability.md"
    page.write_text(PAGE, encoding="utf-8")
    recipe = Recipe({}, (Growth(("review",), "text"),))
    slowest = Measurement(recipe, 5000, 0.0123, 1.234, 0.0)
    run = Run(7)
    run.results.append(Result("/mutate", 42, slowest, slowest._replace(growth=2.1), [], []))
    run.counts, run.breaches = Counter(reviews=10, patched=3), Counter(exceptions=1)

    document.write(run, page)

    written = page.read_text(encoding="utf-8")
    assert written.replace(written.partition(BEGIN)[2].partition(END)[0], SECTION) == PAGE
    assert "with seed 7, Python" in written
    assert "10 reviews in 0 s, 3 with a patch: 1 exceptions, 0 malformed responses" in written
    assert "| /mutate | 42 | 12 ms, 1.23 loops | 10 loops | 2.10x | 3.2x |" in written
