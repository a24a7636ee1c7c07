"""The time, as the API server writes it."""

from datetime import UTC, datetime

TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
"""RFC 3339 in UTC, to the second."""


def now() -> str:
    """Return the current time in TIME_FORMAT."""
    return datetime.now(UTC).strftime(TIME_FORMAT)
