"""What msgspec says of JSON of the wrong shape, in the words of our messages."""

import msgspec


def describe(error: msgspec.ValidationError, root: str) -> str:
    """Return `'request.uid': expected 'str', got 'int'`; `root` names the whole."""
    what, _, where = str(error).partition(" - at ")
    what = what.replace("`", "'")
    path = where.strip("`").removeprefix("$").removeprefix(".") or root
    return f"'{path}': {what[:1].lower()}{what[1:]}"
