"""MkDocs hooks: links out of docs/ lead to the repository, and pages load from no other host."""

import logging
import re
from pathlib import Path, PurePosixPath
from posixpath import normpath
from typing import Any

ROOT = Path(__file__).parents[2]
REPOSITORY = "https://github.com/convertor-webhook/convertor-webhook"

_log = logging.getLogger("mkdocs.hooks.links")  # with `strict`, a warning fails the build

_FENCE = re.compile(r"^( *)(```+|~~~+).*?^\1\2`*~*$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(\]\()((?:\.\./)[^)\s#]*)(#[^)\s]*)?(\))")
_LOADED = re.compile(
    r"""<(?:script|img|iframe|source|video|audio)\b[^>]*?\bsrc=["']?(?:https?:)?//[^\s"'>]+"""
    r"""|<link\b(?![^>]*\brel=["']?canonical)[^>]*?\bhref=["']?(?:https?:)?//[^\s"'>]+"""
    r"""|url\(["']?(?:https?:)?//[^\s"')]+""",
    re.IGNORECASE,
)


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Rewrite relative links to files that are not below docs/."""
    folder = PurePosixPath("docs") / PurePosixPath(page.file.src_uri).parent

    def rewritten(link: re.Match[str]) -> str:
        path = normpath(str(folder / link[2]))
        if path.startswith("docs/"):
            return link[0]
        there = ROOT / path
        if not there.exists():
            _log.warning("%s links to %s, which does not exist", page.file.src_uri, path)
        kind = "tree" if there.is_dir() else "blob"
        return f"{link[1]}{REPOSITORY}/{kind}/main/{path}{link[3] or ''}{link[4]}"

    parts, end = [], 0
    for fence in _FENCE.finditer(markdown):
        parts += [_LINK.sub(rewritten, markdown[end : fence.start()]), fence[0]]
        end = fence.end()
    return "".join([*parts, _LINK.sub(rewritten, markdown[end:])])


def on_post_page(output: str, page: Any, **_: Any) -> str:
    """Warn if a browser would load something from another host."""
    for found in _LOADED.findall(output):
        _log.warning("%s loads from another host: %s", page.file.src_uri, found)
    return output
