"""What all tests of certificates share."""

from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Keep a thousand rounds from telling of themselves."""
    with structlog.testing.capture_logs():
        yield
