"""Log lines of the reviews, of which there are thousands, are not in the report of a test."""

from collections.abc import Iterator

import pytest
import structlog

from tests.system.fuzz.server import write_logs_to
from webhook.telemetry import logs


@pytest.fixture
def discarded_logs(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(logs, "_write", logs._write)  # restored at the end
    write_logs_to(logs.Format.JSON)
    yield
    structlog.reset_defaults()
