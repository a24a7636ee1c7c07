"""Splitting of a text into rules, at `;` and line ends outside of comments."""

import re
from collections.abc import Iterator

from webhook.karl.syntax import WORD, Span

_MARK = re.compile(r"#[^\r\n]*|\r\n?|[\n;()]")
_BLANK = re.compile(r"\s+|#[^\r\n]*")
_RULE_AHEAD = re.compile(rf"[^\S\r\n]*{WORD}[^\S\r\n]+(?:pods|nodes)[^\S\r\n]*\(", re.IGNORECASE)
"""The beginning of a rule. A line that starts like this ends a rule whose `)` is missing."""


def split_rules(text: str) -> Iterator[Span]:
    """Yield the span of each rule, without empty rules and comments."""
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
    while start < end and (blank := _BLANK.match(text, start, end)):
        start = blank.end()
    if start < end:
        yield Span(start, end)
