"""What the tests of the shell share."""

import logging
from collections.abc import Iterator

import pytest
import structlog

from webhook import logs


@pytest.fixture(autouse=True)
def _logging_as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Undo what starting a server does to the process's logs."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    monkeypatch.setattr(logs, "_write", logs._write)
    yield
    root.handlers, root.level = before
    structlog.reset_defaults()
