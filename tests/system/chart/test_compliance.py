"""docs/compliance.md has every recommendation, and the proofs that it names exist."""

import re

from tests.support.paths import ROOT

PAGE = (ROOT / "docs" / "compliance.md").read_text(encoding="utf-8")


def test_every_recommendation_has_its_row() -> None:
    rows = [int(number) for number in re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)]

    assert rows == list(range(1, 54))


def test_every_named_test_exists() -> None:
    named = set(re.findall(r"`(test_[a-z0-9_]+)`", PAGE))
    existing = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"def (test_\w+)", path.read_text(encoding="utf-8"))
    }

    assert named - existing == set()


def test_every_named_file_exists() -> None:
    named = re.findall(r"`((?:charts|\.github|docs)/[^`]+)`", PAGE)

    assert [path for path in named if not (ROOT / path).is_file()] == []


def test_every_named_section_exists() -> None:
    for page, section in re.findall(r"\((\w+\.md)#([\w-]+)\)", PAGE):
        text = (ROOT / "docs" / page).read_text(encoding="utf-8")
        headings = re.findall(r"^#+ (.*)", text, re.MULTILINE)
        anchors = {
            re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings
        }
        assert section in anchors, page
