"""The time, as the API server writes it: RFC 3339 in UTC, to the second."""

import math
from datetime import UTC, datetime, timedelta


def format_time(time: datetime) -> str:
    """Return a time in UTC as the API server writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def now() -> str:
    """Return the current time as the API server writes it."""
    return format_time(datetime.now(UTC))


def seconds_since(time: str, offset: timedelta) -> float:
    """Return the age of a time of the API server, whose clock is ahead by `offset`.

    Infinite for a text that is not a time.
    """
    try:
        return (datetime.now(UTC) + offset - datetime.fromisoformat(time)).total_seconds()
    except (ValueError, TypeError):  # TypeError: without a time zone
        return math.inf
