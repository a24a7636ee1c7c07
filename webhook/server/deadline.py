"""Deadline of a review: the API server sends it in the URL, as `?timeout=3s`."""

import re
from functools import lru_cache
from urllib.parse import parse_qs

DEFAULT_TIMEOUT_SECONDS = 10.0
"""The default of `timeoutSeconds` in a webhook configuration."""

MAX_TIMEOUT_SECONDS = 30.0
"""The maximum of `timeoutSeconds` in a webhook configuration."""

MAX_QUERY_BYTES = 100
"""Of a query string that is parsed; the API server sends `timeout=10s`."""

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
# Each digit can match in one way only, or a long number without a unit would take quadratic time.
_PART = r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h)"
_DURATION = re.compile(f"(?:{_PART})+")


def parse_duration(text: str) -> float:
    """Return the seconds of a Go duration such as `3s`, `1.5s`, `500ms` or `1m0s`.

    Raises ValueError for anything else, also for a negative one.
    """
    if text == "0":
        return 0.0
    if not _DURATION.fullmatch(text):
        raise ValueError(f"expected a duration such as '3s' or '500ms', found {text!r}")
    return sum(float(number) * _UNITS[unit] for number, unit in re.findall(_PART, text))


def seconds_to_respond(query: bytes) -> float:
    """Return the seconds for the response to a request with this query string.

    A tenth of the timeout, and at least 100 ms, is left for the way back: a response after the
    timeout is lost.
    """
    timeout = DEFAULT_TIMEOUT_SECONDS if len(query) > MAX_QUERY_BYTES else _read_timeout(query)
    return max(0.0, timeout - max(0.1, timeout / 10))


@lru_cache(maxsize=64)
def _read_timeout(query: bytes) -> float:
    values = parse_qs(query.decode("ascii", "replace")).get("timeout", [])
    try:
        timeout = parse_duration(values[-1]) if values else DEFAULT_TIMEOUT_SECONDS
    except ValueError:
        timeout = DEFAULT_TIMEOUT_SECONDS
    return min(timeout, MAX_TIMEOUT_SECONDS)
