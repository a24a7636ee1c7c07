"""Checker of the links between the Markdown files of the repository, to files and to headings.

As a program it prints the broken links with their places. It needs only Python; links to other
hosts are not checked.
"""

import re
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[3]
SKIPPED = {".build", ".git", ".hypothesis", ".venv", "dist", "node_modules"}

_FENCE = re.compile(r"^ *(```+|~~~+).*?^ *\1`*~*$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"(`+).+?\1", re.DOTALL)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_LINK = re.compile(
    r"""\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)"""  # [text](target), ![text](target)
    r"""|^ {0,3}\[[^\]]+\]:\s*<?(\S+?)>?\s*$"""  # [name]: target
    r"""|<(?:a|img)\b[^>]*?\b(?:href|src)=["']([^"']+)""",
    re.MULTILINE,
)
_HEADING = re.compile(r"^#{1,6} +(.*?)(?: +#+)?$", re.MULTILINE)
_ID = re.compile(r"""<[a-z]+\b[^>]*?\b(?:id|name)=["']([^"']+)""")
_OTHER_HOST = re.compile(r"[a-z][a-z0-9+.-]*:|//", re.IGNORECASE)


def main() -> int:
    """Print the broken links of all pages; return 1 if there are any."""
    broken = [line for page in pages(ROOT) for line in check(page, ROOT)]
    sys.stdout.writelines(f"{line}\n" for line in broken)
    return 1 if broken else 0


def pages(root: Path) -> list[Path]:
    """Return the Markdown files of the repository."""
    found = root.rglob("*.md")
    return sorted(path for path in found if SKIPPED.isdisjoint(path.relative_to(root).parts))


def check(page: Path, root: Path) -> Iterator[str]:
    """Yield a line for each broken link."""
    text = _blanked(_COMMENT, page.read_text(encoding="utf-8"))
    text = _blanked(_CODE, _blanked(_FENCE, text))
    for link in _LINK.finditer(text):
        target = next(filter(None, link.groups()))
        if problem := _find_problem(target, page, root):
            line = text.count("\n", 0, link.start()) + 1
            yield f"{page.relative_to(root)}:{line}: {target}: {problem}"


def _find_problem(target: str, page: Path, root: Path) -> str | None:
    if _OTHER_HOST.match(target):
        return None
    path, _, anchor = target.partition("#")
    if path.startswith("/"):
        return "expected a relative path"
    file = (page.parent / path).resolve() if path else page
    if not file.is_relative_to(root.resolve()):
        return "outside of the repository"
    if not file.exists():
        return "no such file"
    if anchor and file.suffix == ".md" and anchor not in anchors(file):
        return "no such heading"
    return None


@cache
def anchors(page: Path) -> frozenset[str]:
    """Return the anchors that GitHub and the site give the headings of a page."""
    text = _blanked(_FENCE, page.read_text(encoding="utf-8"))
    seen: Counter[str] = Counter()
    found = set(_ID.findall(text))
    for heading in _HEADING.findall(text):
        name = slug(heading)
        found.add(f"{name}-{seen[name]}" if seen[name] else name)
        seen[name] += 1
    return frozenset(found)


def slug(heading: str) -> str:
    """Return the anchor of a heading: `What's new, in 2.12` is `whats-new-in-212`."""
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    text = re.sub(r"[^\w\- ]", "", text.strip().lower())
    return text.replace(" ", "-")


def _blanked(pattern: re.Pattern[str], text: str) -> str:
    """Replace matches by their line breaks, so that line numbers do not change."""
    return pattern.sub(lambda found: "\n" * found[0].count("\n"), text)


if __name__ == "__main__":
    sys.exit(main())
