"""Fixtures that undo and shorten what servers do in the process of the tests."""

import asyncio
import logging
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import structlog
import uvicorn.server

from webhook.telemetry import logs


@pytest.fixture(autouse=True)
def _restore_logging(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Restore the logging configuration that a server changes."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    monkeypatch.setattr(logs, "_write", logs._write)
    yield
    root.handlers, root.level = before
    structlog.reset_defaults()


@pytest.fixture(autouse=True)
def _stop_uvicorn_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let uvicorn check every few milliseconds whether to stop, not ten times a second."""

    async def sleep(seconds: float) -> None:
        await asyncio.sleep(seconds / 20)

    monkeypatch.setattr(
        uvicorn.server, "asyncio", SimpleNamespace(**vars(asyncio) | {"sleep": sleep})
    )
