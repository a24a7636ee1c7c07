"""What the tests of the shell share."""

import asyncio
import logging
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import structlog
import uvicorn.server

from webhook.telemetry import logs


@pytest.fixture(autouse=True)
def _logging_as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Undo what starting a server does to the process's logs."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    monkeypatch.setattr(logs, "_write", logs._write)
    yield
    root.handlers, root.level = before
    structlog.reset_defaults()


@pytest.fixture(autouse=True)
def _uvicorn_ends_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have uvicorn look every few milliseconds whether to stop, and not ten times a second."""

    async def sleep(seconds: float) -> None:
        await asyncio.sleep(seconds / 20)

    monkeypatch.setattr(
        uvicorn.server, "asyncio", SimpleNamespace(**vars(asyncio) | {"sleep": sleep})
    )
