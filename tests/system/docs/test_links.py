"""Links in Markdown lead to existing files and headings."""

from pathlib import Path

import pytest

from tests.system.docs import links


def test_no_link_of_the_repository_is_broken() -> None:
    pages = links.pages(links.ROOT)

    assert len(pages) > 1
    assert [line for page in pages for line in links.check(page, links.ROOT)] == []


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        ("[a](other.md)", []),
        ("[a](other.md#a-heading)", []),
        ("[a](#here)\n\n## Here", []),
        ("[a](https://example.com/none.md)", []),
        ("`[a](none.md)`", []),
        ("```text\n[a](none.md)\n```", []),
        ("<!-- [a](none.md) -->", []),
        ("\n[a](none.md)", ["page.md:2: none.md: no such file"]),
        ("![a](none.svg)", ["page.md:1: none.svg: no such file"]),
        ('<img src="none.svg">', ["page.md:1: none.svg: no such file"]),
        ("[a]: none.md", ["page.md:1: none.md: no such file"]),
        ("[a](other.md#none)", ["page.md:1: other.md#none: no such heading"]),
        ("[a](#none)", ["page.md:1: #none: no such heading"]),
        ("[a](/other.md)", ["page.md:1: /other.md: expected a relative path"]),
        ("[a](../other.md)", ["page.md:1: ../other.md: outside of the repository"]),
    ],
)
def test_a_broken_link_is_reported_with_its_line(
    tmp_path: Path, text: str, broken: list[str]
) -> None:
    (tmp_path / "other.md").write_text("# A heading\n")
    page = tmp_path / "page.md"
    page.write_text(f"{text}\n")

    assert [*links.check(page, tmp_path)] == broken


@pytest.mark.parametrize(
    ("heading", "anchor"),
    [
        ("Convertor pods stay Pending", "convertor-pods-stay-pending"),
        ("`at least`, and what it means", "at-least-and-what-it-means"),
        ("[KARL](karl.md) & more", "karl--more"),
    ],
)
def test_a_heading_has_the_anchor_that_github_gives_it(heading: str, anchor: str) -> None:
    assert links.slug(heading) == anchor


def test_anchors_of_equal_headings_are_numbered(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A\n\n## B\n\n## B\n\n```sh\n# C\n```\n")

    assert links.anchors(page) == {"a", "b", "b-1"}
