"""Where the rules of a text are: between `;` and line ends, outside comments."""

import re
from collections.abc import Iterator

from webhook.karl.syntax import WORD, Span

_MARK = re.compile(r"#[^\r\n]*|\r\n?|[\n;()]")
_BLANK = re.compile(r"\s+|#[^\r\n]*")
_RULE_AHEAD = re.compile(rf"[^\S\r\n]*{WORD}[^\S\r\n]+(?:pods|nodes)[^\S\r\n]*\(", re.IGNORECASE)
"""A rule's beginning. No selector looks like it, so a line with it ends a forgotten `)`."""


def split(text: str) -> Iterator[Span]:
    """Yield where each rule is; the empty ones and those with comments only are left out."""
    start = depth = 0
    for mark in _MARK.finditer(text):
        sign = mark[0][0]
        if sign == "(":
            depth += 1
        elif sign == ")":
            depth = max(depth - 1, 0)
        elif sign == ";" or (sign != "#" and (not depth or _RULE_AHEAD.match(text, mark.end()))):
            yield from _trim(text, start, mark.start())
            start, depth = mark.end(), 0
    yield from _trim(text, start, len(text))


def _trim(text: str, start: int, end: int) -> Iterator[Span]:
    while blank := _BLANK.match(text, start, end):
        start = blank.end()
    if start < end:
        yield Span(start, end)
