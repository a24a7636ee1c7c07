"""Errors of a KARL text, each with its position, source line, caret and hint.

karl: 1:31: unknown topology 'nodes'
  REQUIRE pods(app=ceph-osd) on nodes
                                ^^^^^
  expected node, zone, region, rack or a label key; did you mean 'node'?
"""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from webhook.karl.syntax import Span

_LINE_END = re.compile(r"\r\n?|\n")
_MAX_LINE_CHARACTERS = 100  # displayed of a long line
_MAX_LEAD_CHARACTERS = 50  # of these before the mistake


class Mistake(NamedTuple):
    """A mistake in a part of a text; with the text it becomes a `RuleError`."""

    span: Span
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class RuleError:
    """One error: its position, what was found, what was expected, and what to try."""

    line: int
    """From 1."""
    column: int
    """From 1, in characters."""
    message: str
    """One line in lower case, without a full stop, with quoted values."""
    hint: str
    """One line: what was expected and what to try."""
    source: str
    """The line of the error, or a part of it if it is long."""
    underline: str
    """Carets below the mistake in `source`."""

    def __str__(self) -> str:
        return (
            f"karl: {self.line}:{self.column}: {self.message}\n"
            f"  {self.source}\n  {self.underline}\n  {self.hint}"
        )


class KarlError(ValueError):
    """A text that is not valid KARL.

    `errors` has every error in the order of the text; `str` has all of them with their source
    lines and carets.
    """

    def __init__(self, errors: Sequence[RuleError]) -> None:
        super().__init__("\n".join(map(str, errors)))
        self.errors = tuple(errors)


def build_error(text: str, mistakes: Iterable[Mistake]) -> KarlError:
    """Return the exception for the mistakes in a text."""
    found = sorted(mistakes)
    last = max(mistake.span.start for mistake in found)
    lines = [0, *(line_end.end() for line_end in _LINE_END.finditer(text, 0, last))]
    return KarlError([_to_rule_error(text, lines, mistake) for mistake in found])


def _to_rule_error(text: str, lines: list[int], mistake: Mistake) -> RuleError:
    start, end = mistake.span
    line = bisect_right(lines, start)
    begin = lines[line - 1]
    following = _LINE_END.search(text, start)
    finish = following.start() if following else len(text)
    source, lead, marked = _show_line(text[begin:finish], start - begin, end - begin)
    underline = " " * _terminal_width(source[:lead]) + "^" * max(
        _terminal_width(source[lead:marked]), 1
    )
    return RuleError(line, start - begin + 1, mistake.message, mistake.hint, source, underline)


def _show_line(line: str, start: int, end: int) -> tuple[str, int, int]:
    """Return the part of a line to show, and the start and end of the mistake in it."""
    first = max(min(start - _MAX_LEAD_CHARACTERS, len(line) - _MAX_LINE_CHARACTERS), 0)
    last = min(first + _MAX_LINE_CHARACTERS, len(line))
    printable = (c if c.isprintable() else " " if c == "\t" else "\ufffd" for c in line[first:last])
    before, after = "…" if first else "", "…" if last < len(line) else ""
    shift = len(before) - first
    return f"{before}{''.join(printable)}{after}", start + shift, min(end, last) + shift


def _terminal_width(text: str) -> int:
    """Return the width of a text in terminal cells: two for an ideograph, none for an accent."""
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(unicodedata.combining(c) > 0 for c in text)
