"""Problems in messages: as many as fit, and the number of the others."""

from collections.abc import Iterable

from webhook.kube.messages import fit

MAX_CHARACTERS = 4096
"""Of all problems of a message; the terminal of a user shows it whole."""


def join_problems(problems: Iterable[str], separator: str) -> str:
    """Return the problems, joined; those beyond MAX_CHARACTERS are counted, `and 34 more`."""
    return separator.join(fit(problems, MAX_CHARACTERS))
