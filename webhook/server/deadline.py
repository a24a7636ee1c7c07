"""How long a review may take: the API server says it in the URL, as `?timeout=3s`."""

import re
from functools import lru_cache
from urllib.parse import parse_qs

DEFAULT = 10.0
"""Seconds: what Kubernetes waits for a webhook whose configuration names no time."""

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = r"([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|ms|s|m|h)"
_DURATION = re.compile(f"(?:{_PART})+")


def duration(text: str) -> float:
    """Seconds of a Go duration such as `3s`, `1.5s`, `500ms` or `1m0s`.

    Raises ValueError for anything else, also for a negative one.
    """
    if text == "0":
        return 0.0
    if not _DURATION.fullmatch(text):
        raise ValueError(f"expected a duration such as '3s' or '500ms', found {text!r}")
    return sum(float(number) * _UNITS[unit] for number, unit in re.findall(_PART, text))


@lru_cache(maxsize=64)
def seconds(query: bytes) -> float:
    """How long the answer to a request with this query string may take, in seconds.

    A tenth of the time, and at least 100 ms, is kept back: the answer has to travel, and an
    answer that comes a moment too late is worth nothing.
    """
    values = parse_qs(query.decode("ascii", "replace")).get("timeout", [])
    try:
        timeout = duration(values[-1]) if values else DEFAULT
    except ValueError:
        timeout = DEFAULT
    return max(0.0, timeout - max(0.1, timeout / 10))
