"""Words in messages: how what was found is quoted, and what may have been meant."""

import difflib
from collections.abc import Collection, Iterable
from typing import Any

_LONGEST = 80  # characters of what a user wrote; an annotation may have 256 kB


def quote(text: str) -> str:
    """Put a text between quotes, on one line, and cut it where it is long."""
    return repr(text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…")


def found(value: Any) -> str:
    """Name a JSON value that was found where another was expected."""
    match value:
        case str():
            return quote(value)
        case dict():
            return "a map"
        case list():
            return "a list"
        case None | bool():
            return str(value).lower().replace("none", "null")
        case int() | float():
            return f"{value}" if abs(value) < 1e18 else "a number"
        case _:  # YAML has dates
            return f"a {type(value).__name__}"


def either(choices: Collection[str]) -> str:
    """Return `enforce, audit or off`."""
    *others, last = choices
    return f"{', '.join(others)} or {last}" if others else last


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """Return `; did you mean 'enforce'?`, or nothing where no choice is close."""
    by_folded = {choice.casefold(): choice for choice in choices}
    close = difflib.get_close_matches(word.casefold()[:_LONGEST], by_folded, n=1)
    return f"; did you mean '{by_folded[close[0]]}'?" if close else ""


def expected(what: str, choices: Collection[str], word: str) -> str:
    """Say which words are known where another was found, and which may have been meant."""
    return f"expected {what} {either(choices)}, found {quote(word)}{did_you_mean(word, choices)}"
