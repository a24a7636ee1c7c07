"""Problems in messages: as many as fit, and the number of the others."""

from collections.abc import Iterable

from webhook.kube.messages import truncate

MAX_CHARACTERS = 4096
"""Of all problems of a message; the terminal of a user shows it whole."""


def join_problems(problems: Iterable[str], separator: str) -> str:
    """Return the problems, joined; those beyond MAX_CHARACTERS are counted, `and 34 more`."""
    texts = [truncate(text, MAX_CHARACTERS) for text in problems]
    left = MAX_CHARACTERS
    for index, text in enumerate(texts):
        left -= len(text)
        if left < 0 and index:
            return separator.join([*texts[:index], f"and {len(texts) - index} more"])
    return separator.join(texts)
