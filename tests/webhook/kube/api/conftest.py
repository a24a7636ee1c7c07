from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Hide the log lines of the reflector's threads."""
    with capture_logs():
        yield
