"""Fixtures of all tests of certificates."""

from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture(autouse=True)
def _capture_logs() -> Iterator[None]:
    """Keep the log lines of thousands of rounds out of the output."""
    with structlog.testing.capture_logs():
        yield
