"""What msgspec says of JSON of the wrong shape, in the words of our messages."""

import re

import msgspec

_WORDS = {
    "array": "a list",
    "bool": "true or false",
    "float": "a number",
    "int": "a whole number",
    "null": "null",
    "object": "a map",
    "str": "text",
}


def describe(error: msgspec.ValidationError, root: str) -> str:
    """Return `'request.uid': expected text, found a whole number`; `root` names the whole."""
    what, _, where = str(error).partition(" - at ")
    path = where.strip("`").removeprefix("$").removeprefix(".")
    if missing := re.fullmatch("Object missing required field `(.*)`", what):
        return f"'{path}.{missing[1]}' is missing".replace("'.", "'")
    what = re.sub("`([^`]*)`", _words, what).replace(", got ", ", found ")
    return f"'{path or root}': {what[:1].lower()}{what[1:]}"


def _words(quoted: re.Match[str]) -> str:
    """Write our word for `str | null`: that null would do as well helps nobody."""
    word = quoted[1].removesuffix(" | null")
    return _WORDS.get(word, f"'{word}'")
