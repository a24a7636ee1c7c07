"""The time, as the API server writes it: RFC 3339 in UTC, to the second."""

from datetime import UTC, datetime


def format_time(time: datetime) -> str:
    """Return a time in UTC as the API server writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def now() -> str:
    """Return the current time as the API server writes it."""
    return format_time(datetime.now(UTC))
