"""Structured logs: one JSON object a line, or, on a terminal, lines for people."""

import logging
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import BinaryIO, TextIO

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


_NUMBERS = {level: logging.getLevelNamesMapping()[level.upper()] for level in Level}


class Line(msgspec.Struct, omit_defaults=True, kw_only=True):
    """A line of a kind that is written by the thousand, and so has its fields fixed.

    Subclasses add fields; of those with a default only the ones that say something are written.
    """

    level: Level
    message: str


Write = Callable[[Iterable[Line]], None]


def write(lines: Iterable[Line]) -> None:
    """Log all of these now. As JSON a line costs a fifth of what structlog takes for it."""
    _write(lines)


def configure(form: Format, level: Level, stream: TextIO | None = None) -> None:
    """Let everything that logs, libraries too, write to `stream` (default: stderr)."""
    stream = stream or sys.stderr
    number = _NUMBERS[level]
    text = form is Format.TEXT or (form is Format.AUTO and stream.isatty())
    structlog.configure(
        processors=_for_people(stream) if text else _for_machines(),
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(stream)
        if text
        else structlog.BytesLoggerFactory(stream.buffer),
        cache_logger_on_first_use=False,
    )
    global _write  # noqa: PLW0603 - as structlog's configuration is
    _write = _through_structlog if text else _at_once(stream.buffer, number)
    # Libraries say at INFO what is of interest to their own developers.
    logging.basicConfig(handlers=[_Bridge()], level=max(number, logging.WARNING), force=True)


def _through_structlog(lines: Iterable[Line]) -> None:
    for line in lines:
        fields = msgspec.to_builtins(line)
        level, message = _NUMBERS[fields.pop("level")], fields.pop("message")
        structlog.get_logger().log(level, message, **fields)


_write: Write = _through_structlog


def _at_once(stream: BinaryIO, least: int) -> Write:
    def write(lines: Iterable[Line]) -> None:
        heard = [line for line in lines if _NUMBERS[line.level] >= least]
        time = _json.encode({"time": datetime.now(UTC)})[:-1]
        # Every line begins with the time, which is one for all of them.
        stream.write(b"".join(b"%b,%b\n" % (time, _json.encode(line)[1:]) for line in heard))
        stream.flush()

    return write


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
