"""The table of the results of the reliability tests, for the terminal and docs/reliability.md."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from tests.support.paths import ROOT
from tests.system.e2e.reliability.creators import Tally

DOCUMENT = ROOT / "docs" / "reliability.md"
_PRINTED = re.compile(r"(?<=<!-- as printed -->\n```text\n).*?(?=```)", re.DOTALL)


class Row(NamedTuple):
    """An event, and the results of the pods that were created during it."""

    what: str
    tally: Tally
    note: str


def table(rows: list[Row]) -> str:
    """Return the rows as text, one line each."""
    total = Tally()
    for row in rows:
        for count in ("placed", "unplaced", "lost", "rejected"):
            setattr(total, count, getattr(total, count) + getattr(row.tally, count))
    lines = [_line("", ("pods", "lost", "unplaced", "rejected"), "")]
    for what, tally, note in [*rows, Row("all", total, "")]:
        counts = (tally.pods, tally.lost, tally.unplaced, tally.rejected)
        lines.append(_line(what, counts, note))
    return "".join(f"{line.rstrip()}\n" for line in lines)


def keep(text: str, document: Path = DOCUMENT) -> None:
    """Replace the table in the document."""
    found = document.read_text(encoding="utf-8")
    document.write_text(_PRINTED.sub(lambda _: text, found, count=1), encoding="utf-8")


def _line(what: str, counts: Iterable[object], note: str) -> str:
    pods, lost, unplaced, rejected = counts
    return f"{what:<34}{pods:>6}{lost:>6}{unplaced:>10}{rejected:>9}   {note}"
