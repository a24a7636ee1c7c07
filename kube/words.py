"""Words in messages: how what was found is quoted, and what may have been meant."""

import difflib
from collections.abc import Iterable

_LONGEST = 80  # characters of what a user wrote; an annotation may have 256 kB


def quote(text: str) -> str:
    """Put a text between quotes, on one line, and cut it where it is long."""
    return repr(text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…")


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """Return `; did you mean 'enforce'?`, or nothing where no choice is close."""
    by_folded = {choice.casefold(): choice for choice in choices}
    close = difflib.get_close_matches(word.casefold()[:_LONGEST], by_folded, n=1)
    return f"; did you mean '{by_folded[close[0]]}'?" if close else ""
