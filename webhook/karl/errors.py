"""What is wrong with a text, with the place: for people, on four lines.

karl: 1:31: unknown topology 'nodes'
  REQUIRE pods(app=ceph-osd) on nodes
                                ^^^^^
  expected node, zone, region, rack or a label key; did you mean 'node'?
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from webhook.karl.syntax import Span

_LINE_END = re.compile(r"\r\n?|\n")
_WINDOW = 100  # characters of a long line that are shown, the fault among them
_LEAD = 50  # of these before the fault, at most


class Mistake(NamedTuple):
    """Something wrong at a place; becomes a `Fault` when the text is at hand."""

    span: Span
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class Fault:
    """One error: where it is, what was found, what was expected, what to try."""

    line: int
    """From 1, as `column`, which counts characters."""
    column: int
    message: str
    """One line; lower case, no full stop, values quoted."""
    hint: str
    """What was expected and what to try; one line too."""
    source: str
    """The line that it is on; of a long one the part around it."""
    underline: str
    """Carets below the place in `source`."""

    def __str__(self) -> str:
        return (
            f"karl: {self.line}:{self.column}: {self.message}\n"
            f"  {self.source}\n  {self.underline}\n  {self.hint}"
        )


class KarlError(ValueError):
    """A text that is not KARL, or that asks for what cannot be.

    `errors` has every fault that was found, in the order of the text; `str` is all of them
    as people read them, with the source lines and carets.
    """

    def __init__(self, errors: Sequence[Fault]) -> None:
        super().__init__("\n".join(map(str, errors)))
        self.errors = tuple(errors)


def refuse(text: str, mistakes: Iterable[Mistake]) -> KarlError:
    """Return the error for the mistakes in a text."""
    return KarlError([_locate(text, mistake) for mistake in sorted(mistakes)])


def _locate(text: str, mistake: Mistake) -> Fault:
    start, end = mistake.span
    line, begin = 1, 0
    for line_end in _LINE_END.finditer(text, 0, start):
        line, begin = line + 1, line_end.end()
    following = _LINE_END.search(text, start)
    finish = following.start() if following else len(text)
    source, lead, marked = _window(text[begin:finish], start - begin, end - begin)
    underline = " " * _cells(source[:lead]) + "^" * max(_cells(source[lead:marked]), 1)
    return Fault(line, start - begin + 1, mistake.message, mistake.hint, source, underline)


def _window(line: str, start: int, end: int) -> tuple[str, int, int]:
    """Return the part of a line to show, and where in it the marked part starts and ends."""
    shown = "".join(c if c.isprintable() else " " if c == "\t" else "\ufffd" for c in line)
    if len(shown) <= _WINDOW:
        return shown, start, min(end, len(shown))
    first = max(min(start - _LEAD, len(shown) - _WINDOW), 0)
    last = first + _WINDOW
    before, after = "…" if first else "", "…" if last < len(shown) else ""
    shift = len(before) - first
    return f"{before}{shown[first:last]}{after}", start + shift, min(end, last) + shift


def _cells(text: str) -> int:
    """Return how wide a text is on a terminal: ideographs take two cells, accents none."""
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(unicodedata.combining(c) > 0 for c in text)
