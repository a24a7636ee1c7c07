"""Decision records have the same sections, and the index lists all of them."""

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[3] / "docs/decisions"
RECORDS = sorted(FOLDER.glob("[0-9]*.md"))
SECTIONS = ["Context", "Decision", "Rejected", "Consequences"]


@pytest.mark.parametrize("record", RECORDS, ids=lambda path: path.stem)
def test_a_record_has_a_date_a_status_and_the_four_sections(record: Path) -> None:
    text = record.read_text()

    assert re.match(r"# .+\n\nDate: \d{4}-\d\d-\d\d\n\nStatus: .+\n\n## Context\n", text)
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS
    assert len(re.findall(r"^\* \*\*", text.partition("## Rejected")[2], re.MULTILINE)) >= 2


def test_the_index_lists_every_record_with_its_number_title_and_date() -> None:
    rows = re.findall(
        r"^\| (\d+) \| \[(.+)\]\((.+\.md)\) \| (.+) \|$",
        (FOLDER / "index.md").read_text(),
        re.MULTILINE,
    )
    expected = []
    for number, record in enumerate(RECORDS, start=1):
        title, _, date = record.read_text().splitlines()[:3]
        assert int(record.name[:4]) == number
        expected.append(
            (str(number), title.removeprefix("# "), record.name, date.removeprefix("Date: "))
        )

    assert rows == expected
