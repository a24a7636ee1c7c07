"""Words in messages: how what was found is quoted, and what may have been meant."""

import difflib
import re
from collections.abc import Collection, Iterable
from typing import Any

import msgspec

_JSON_TYPES = {
    "array": "a list",
    "bool": "true or false",
    "float": "a number",
    "int": "a whole number",
    "null": "null",
    "object": "a map",
    "str": "text",
}

_LONGEST = 80  # characters of what a user wrote; an annotation may have 256 kB


def quote(text: str) -> str:
    """Put a text from outside between quotes so that it can stand in a message on one line."""
    short = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
    shown = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in short)
    return f"'{''.join(shown)}'"


def truncate(text: str, max_bytes: int) -> str:
    """Return the text, or its start and ` ...` if it has more bytes than the API server keeps."""
    encoded = text.encode()
    if len(encoded) <= max_bytes:
        return text
    end = " ..."
    return encoded[: max_bytes - len(end)].decode(errors="ignore") + end


def describe_value(value: Any) -> str:
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


def describe_os_error(error: OSError) -> str:
    """Return the operating system's text, such as `no such file or directory`."""
    return (error.strerror or str(error)).lower()


def describe_internal_error(error: Exception) -> str:
    """Return a text for an unexpected error, whose traceback the caller has logged."""
    return f"internal error, see the webhook's log: {error!r}"


def format_count(count: int, noun: str) -> str:
    """Return `1 node` or `3 nodes`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def join_with_or(choices: Collection[str]) -> str:
    """Return `enforce, audit or off`."""
    *others, last = choices
    return f"{', '.join(others)} or {last}" if others else last


def did_you_mean(word: str, choices: Iterable[str], likeness: float = 0.6) -> str:
    """Return `; did you mean 'enforce'?`, or nothing where no choice is like the word."""
    by_folded = {choice.casefold(): choice for choice in choices}
    close = difflib.get_close_matches(word.casefold()[:_LONGEST], by_folded, 1, likeness)
    return suggest(by_folded[close[0]]) if close else ""


def correct_spelling(word: str, choices: Iterable[str]) -> str | None:
    """Return the choice that a word surely stands for, where it is none of them itself.

    Surely is in other case, a letter off, two in a longer one, or a long one broken off behind its
    middle. `did_you_mean` takes far more for alike: Kubernetes has both matchLabelKeys and
    mismatchLabelKeys, and no new name of its own may be called a mistake.
    """
    typed = word.casefold()[:_LONGEST]
    edits = {choice: _edits(typed, choice.casefold()) for choice in choices}
    near = [
        choice
        for choice in edits
        if edits[choice] <= (1 if len(choice) < 8 else 2)
        or (choice.casefold().startswith(typed) and len(typed) > max(len(choice) // 2, 11))
    ]
    return min(near, key=edits.__getitem__, default=None)


def _edits(word: str, other: str) -> int:
    steps = difflib.SequenceMatcher(None, word, other, autojunk=False).get_opcodes()
    return sum(max(i2 - i1, j2 - j1) for tag, i1, i2, j1, j2 in steps if tag != "equal")


def suggest(text: str) -> str:
    """Return the end of a message that proposes a text."""
    return f"; did you mean {quote(text)}?"


def expected_one_of(what: str, choices: Collection[str], word: str) -> str:
    """Say which words are known where another was found, and which may have been meant."""
    hint = did_you_mean(word, choices)
    return f"expected {what} {join_with_or(choices)}, found {quote(word)}{hint}"


def describe_validation_error(error: msgspec.ValidationError, root: str) -> str:
    """Return `'request.uid': expected text, found a whole number`; `root` names the whole."""
    what, _, where = str(error).partition(" - at ")
    path = where.strip("`").removeprefix("$").removeprefix(".")
    if missing := re.fullmatch("Object missing required field `(.*)`", what):
        return f"'{path}.{missing[1]}' is missing".replace("'.", "'")
    what = re.sub("`([^`]*)`", _json_type, what).replace(", got ", ", found ")
    return f"'{path or root}': {what[:1].lower()}{what[1:]}"


def _json_type(quoted: re.Match[str]) -> str:
    """Write our word for `str | null`: that null would do as well helps nobody."""
    word = quoted[1].removesuffix(" | null")
    return _JSON_TYPES.get(word, f"'{word}'")
