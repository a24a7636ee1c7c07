"""Words in messages: how what was found is quoted, and what may have been meant."""

import difflib
from collections.abc import Collection, Iterable
from typing import Any

_LONGEST = 80  # characters of what a user wrote; an annotation may have 256 kB


def quote(text: str) -> str:
    """Put a text from outside between quotes so that it can stand in a message on one line."""
    short = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
    shown = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in short)
    return f"'{''.join(shown)}'"


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


def did_you_mean(word: str, choices: Iterable[str], likeness: float = 0.6) -> str:
    """Return `; did you mean 'enforce'?`, or nothing where no choice is like the word."""
    by_folded = {choice.casefold(): choice for choice in choices}
    close = difflib.get_close_matches(word.casefold()[:_LONGEST], by_folded, 1, likeness)
    return suggest(by_folded[close[0]]) if close else ""


def suggest(text: str) -> str:
    """Return the end of a message that proposes a text."""
    return f"; did you mean {quote(text)}?"


def expected(what: str, choices: Collection[str], word: str) -> str:
    """Say which words are known where another was found, and which may have been meant."""
    return f"expected {what} {either(choices)}, found {quote(word)}{did_you_mean(word, choices)}"
