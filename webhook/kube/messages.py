"""Building blocks of messages: quoted values, lists of choices, suggestions."""

import difflib
import json
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

_MAX_QUOTED_CHARACTERS = 80  # a user's text may be an annotation of 256 kB


def truncate(text: str, max_characters: int) -> str:
    """Return a text with at most `max_characters`, of which the last is `…` if it is longer."""
    return text if len(text) <= max_characters else f"{text[: max_characters - 1]}…"


def fit(texts: Iterable[str], max_characters: int) -> list[str]:
    """Return the texts that fit together, and the number of the others, `and 34 more`.

    The first text is truncated if it does not fit.
    """
    found = [truncate(text, max_characters) for text in texts]
    left = max_characters
    for index, text in enumerate(found):
        left -= len(text) + 1  # for what separates them
        if left < 0 and index:
            return [*found[:index], f"and {len(found) - index} more"]
    return found


def escape(text: str, keep: str = "") -> str:
    """Escape, as in JSON, all characters that are not printable and not in `keep`.

    Among them are line ends, escape sequences of terminals, and characters that reorder a text or
    are invisible: in a log or on a terminal they could forge another text.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else json.dumps(c)[1:-1] for c in text)


def quote(text: str) -> str:
    """Quote a user's text for a message: truncated, on one line, without invisible characters."""
    return f"'{escape(truncate(text, _MAX_QUOTED_CHARACTERS))}'"


def truncate_bytes(text: str, max_bytes: int) -> str:
    """Return a text with at most `max_bytes` in UTF-8, and ` ...` at its end if it is longer."""
    encoded = text.encode()
    if len(encoded) <= max_bytes:
        return text
    end = " ..."
    return encoded[: max_bytes - len(end)].decode(errors="ignore") + end


def escape_within(text: str, max_bytes: int) -> str:
    """Return a text of several lines, escaped, with at most `max_bytes` in UTF-8."""
    return truncate_bytes(escape(text[: max_bytes + 1], keep="\n"), max_bytes)


def describe_value(value: Any) -> str:
    """Describe a JSON value of an unexpected type."""
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
    """Return the operating system's message, such as `no such file or directory`."""
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


def join_with_and(items: Collection[str]) -> str:
    """Return `labels, affinity and tolerations`."""
    *others, last = items
    return f"{', '.join(others)} and {last}" if others else last


def did_you_mean(word: str, choices: Iterable[str], cutoff: float = 0.6) -> str:
    """Return `; did you mean 'enforce'?`, or nothing if no choice is similar to the word."""
    by_folded = {choice.casefold(): choice for choice in choices}
    close = difflib.get_close_matches(
        word[:_MAX_QUOTED_CHARACTERS].casefold(), by_folded, 1, cutoff
    )
    return suggest(by_folded[close[0]]) if close else ""


def correct_spelling(word: str, choices: Iterable[str]) -> str | None:
    """Return the choice of which a word is surely a misspelling.

    It may differ in case, by one edit (from 8 letters on by two), or be cut off after more than
    half of a long choice. `did_you_mean` accepts far more, but this decides whether an unknown
    field is an error: Kubernetes has both matchLabelKeys and mismatchLabelKeys, and a future field
    must not be called a mistake.
    """
    typed = word[:_MAX_QUOTED_CHARACTERS].casefold()
    edits = {choice: _count_edits(typed, choice.casefold()) for choice in choices}
    near = [
        choice
        for choice in edits
        if edits[choice] <= (1 if len(choice) < 8 else 2)
        or (choice.casefold().startswith(typed) and len(typed) > max(len(choice) // 2, 11))
    ]
    return min(near, key=edits.__getitem__, default=None)


def _count_edits(word: str, other: str) -> int:
    steps = difflib.SequenceMatcher(None, word, other, autojunk=False).get_opcodes()
    return sum(max(i2 - i1, j2 - j1) for tag, i1, i2, j1, j2 in steps if tag != "equal")


def suggest(text: str) -> str:
    """Return `; did you mean 'TEXT'?`."""
    return f"; did you mean {quote(text)}?"


def expected_one_of(what: str, choices: Collection[str], word: str) -> str:
    """Return the message for a word that is not among the choices."""
    hint = did_you_mean(word, choices)
    return f"expected {what} {join_with_or(choices)}, found {quote(word)}{hint}"


def describe_validation_error(error: msgspec.ValidationError, root: str, prefix: str = "") -> str:
    """Return `'request.uid': expected text, found a whole number`.

    `prefix` is the path of the decoded value; without one, `root` stands for the value itself.
    """
    what, _, where = str(error).partition(" - at ")
    path = prefix + where.rpartition("`$")[2].rstrip("`")  # of "`$.a`", or of "`key` in `$.a`"
    path = path.removeprefix(".")
    if missing := re.fullmatch("Object missing required field `(.*)`", what):
        return f"'{path}.{missing[1]}' is missing".replace("'.", "'")
    what = re.sub("`([^`]*)`", _translate_type, what).replace(", got ", ", found ")
    return f"'{path or root}': {what[:1].lower()}{what[1:]}"


def _translate_type(quoted: re.Match[str]) -> str:
    """Translate a type such as `str | null`, without null, which users do not write."""
    word = quoted[1].removesuffix(" | null")
    return _JSON_TYPES.get(word, f"'{word}'")
