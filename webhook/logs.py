"""Structured logs: one JSON object a line, or, on a terminal, lines for people."""

import logging
import sys
from datetime import UTC, datetime
from enum import StrEnum
from typing import TextIO

import msgspec
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

_json = msgspec.json.Encoder(enc_hook=str)


class Format(StrEnum):
    """How log lines look; `auto` is text on a terminal and JSON elsewhere."""

    AUTO = "auto"
    JSON = "json"
    TEXT = "text"


class Level(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def configure(form: Format, level: Level, stream: TextIO | None = None) -> None:
    """Let everything that logs, libraries too, write to `stream` (default: stderr)."""
    stream = stream or sys.stderr
    number = logging.getLevelNamesMapping()[level.upper()]
    text = form is Format.TEXT or (form is Format.AUTO and stream.isatty())
    structlog.configure(
        processors=_for_people(stream) if text else _for_machines(),
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(stream)
        if text
        else structlog.BytesLoggerFactory(stream.buffer),
        cache_logger_on_first_use=False,
    )
    # Libraries say at INFO what is of interest to their own developers.
    logging.basicConfig(handlers=[_Bridge()], level=max(number, logging.WARNING), force=True)


def _for_machines() -> list[Processor]:
    return [
        structlog.processors.add_log_level,
        structlog.processors.format_exc_info,
        _encode,
    ]


def _encode(_logger: WrappedLogger, _method: str, event: EventDict) -> bytes:
    first: EventDict = {
        "time": datetime.now(UTC),  # in RFC 3339 when encoded; structlog's own takes 2 µs more
        "level": event.pop("level"),
        "message": event.pop("event"),
    }
    return _json.encode({**first, **event})


def _for_people(stream: TextIO) -> list[Processor]:
    return [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False, key="timestamp"),
        structlog.dev.ConsoleRenderer(colors=stream.isatty(), pad_event_to=0, sort_keys=False),
    ]


class _Bridge(logging.Handler):
    """Hands what libraries log with `logging` to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger().log(
            record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info
        )
