import io
import json
import logging
import os
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
import structlog

from webhook.telemetry import logs
from webhook.telemetry.logs import MAX_TEXT_CHARACTERS, Format, Level, Line


class Stream(io.TextIOWrapper):
    """A stream that may pretend to be a terminal."""

    def __init__(self, *, terminal: bool = False) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", write_through=True)
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal

    @property
    def text(self) -> str:
        self.flush()
        assert isinstance(self.buffer, io.BytesIO)
        return self.buffer.getvalue().decode()

    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.text.splitlines()]


def test_a_line_is_a_json_object_that_begins_with_time_level_and_message() -> None:
    stream = Stream()
    logs.configure(Format.AUTO, Level.INFO, stream)
    structlog.get_logger().info("placed", plan="forklift/db", odd={1, 2}, path=object)
    (line,) = stream.lines()
    assert [*line] == ["time", "level", "message", "plan", "odd", "path"]
    assert line["time"].endswith("Z")
    assert (line["level"], line["message"], line["plan"]) == ("info", "placed", "forklift/db")


class ExampleLine(Line, kw_only=True):
    who: str
    times: int = 0


LINES = [
    ExampleLine(level=Level.INFO, message="once", who="é"),
    ExampleLine(level=Level.DEBUG, message="too quiet", who="a"),
    ExampleLine(level=Level.WARNING, message="often", who='"', times=3),
]


@pytest.mark.parametrize("level", Level)
def test_lines_that_are_written_together_are_as_if_written_one_by_one(level: Level) -> None:
    together, apart = Stream(), Stream()
    logs.configure(Format.JSON, level, together)
    logs.write(LINES)
    logs.configure(Format.JSON, level, apart)
    for line in LINES:
        fields = msgspec.to_builtins(line)
        getattr(structlog.get_logger(), fields.pop("level"))(fields.pop("message"), **fields)
    assert [[*line] for line in together.lines()] == [[*line] for line in apart.lines()]
    for line in together.lines() + apart.lines():
        assert datetime.fromisoformat(line["time"]).tzinfo is UTC

    def without_time(stream: Stream) -> list[Any]:
        return [{**line, "time": None} for line in stream.lines()]

    assert without_time(together) == without_time(apart)


def test_lines_that_are_written_together_are_text_on_a_terminal() -> None:
    stream = Stream(terminal=True)
    logs.configure(Format.TEXT, Level.INFO, stream)
    logs.write(LINES)
    first, second = stream.text.splitlines()
    assert "once" in first
    assert "often" in second


def test_a_text_that_is_not_utf_8_is_escaped() -> None:
    stream = Stream()
    logs.configure(Format.JSON, Level.INFO, stream)
    structlog.get_logger().info("read", file=os.fsdecode(b"\xff"), odd=object, count=1)
    (line,) = stream.lines()
    assert line["time"].endswith("Z")
    assert (line["file"], line["odd"], line["count"]) == ("\udcff", "<class 'object'>", 1)


FORGED = "db\n12:00:00 [info] forged\x1b[2J\x9b2J\u202e\u2028"
ESCAPED = r"db\n12:00:00 [info] forged\u001b[2J\u009b2J\u202e\u2028"


@pytest.mark.parametrize("form", [Format.JSON, Format.TEXT])
def test_characters_that_could_forge_a_line_are_escaped(form: Format) -> None:
    stream = Stream()
    logs.configure(form, Level.INFO, stream)
    structlog.get_logger().info(FORGED, plan=FORGED, problems=(FORGED,))
    logs.write([ExampleLine(level=Level.INFO, message=FORGED, who=FORGED)])
    logging.getLogger("uvicorn.error").warning(FORGED)
    lines = stream.text.removesuffix("\n").split("\n")
    assert len(lines) == 3
    assert all(line.isprintable() for line in lines)
    if form is Format.TEXT:
        assert all(ESCAPED in line for line in lines)
    else:
        assert stream.lines()[0]["message"] == FORGED


@pytest.mark.parametrize("form", [Format.JSON, Format.TEXT])
def test_the_text_of_an_error_cannot_forge_a_line(form: Format) -> None:
    stream = Stream()
    logs.configure(form, Level.INFO, stream)
    structlog.get_logger().error("internal error", exc_info=ValueError(FORGED))
    first, *traceback = stream.text.removesuffix("\n").split("\n")
    assert "internal error" in first
    assert all(line.startswith("  ") for line in traceback)
    assert all(line.isprintable() for line in (first, *traceback))
    assert "ValueError" in stream.text


@pytest.mark.parametrize("form", [Format.JSON, Format.TEXT])
def test_a_text_of_megabytes_is_shortened(form: Format) -> None:
    stream = Stream()
    logs.configure(form, Level.INFO, stream)
    large = "x" * 2**20 + "end"
    structlog.get_logger().error(large, plan=large, exc_info=ValueError(large))
    structlog.get_logger().error("many", problems=[large] * 100)
    logging.getLogger("uvicorn.error").warning(large)
    assert len(stream.text) < 7 * MAX_TEXT_CHARACTERS
    assert "…" in stream.text or r"\u2026" in stream.text
    assert "end" in stream.text


def test_a_traceback_is_a_field() -> None:
    stream = Stream()
    logs.configure(Format.JSON, Level.INFO, stream)
    with pytest.raises(ZeroDivisionError) as error:
        divmod(1, 0)
    structlog.get_logger().error("internal error", exc_info=error.value)
    (line,) = stream.lines()
    assert line["exception"].startswith("Traceback (most recent call last):\n")
    assert line["exception"].endswith("ZeroDivisionError: integer division or modulo by zero")


@pytest.mark.parametrize(
    ("level", "written"),
    [
        (Level.DEBUG, ["debug", "info", "warning", "error"]),
        (Level.INFO, ["info", "warning", "error"]),
        (Level.WARNING, ["warning", "error"]),
        (Level.ERROR, ["error"]),
    ],
)
def test_lines_below_the_configured_level_are_not_written(level: Level, written: list[str]) -> None:
    stream = Stream()
    logs.configure(Format.JSON, level, stream)
    for name in ("debug", "info", "warning", "error"):
        getattr(structlog.get_logger(), name)(name)
    assert [line["level"] for line in stream.lines()] == written


def test_libraries_are_logged_from_level_warning() -> None:
    stream = Stream()
    logs.configure(Format.JSON, Level.INFO, stream)
    logging.getLogger("uvicorn.error").info("Started server process [%d]", 1)
    logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
    (line,) = stream.lines()
    del line["time"]
    assert line == {
        "level": "warning",
        "message": "Invalid HTTP request received.",
        "logger": "uvicorn.error",
    }


@pytest.mark.parametrize(
    ("form", "terminal"), [(Format.AUTO, True), (Format.TEXT, True), (Format.TEXT, False)]
)
def test_a_terminal_gets_a_line_of_text(form: Format, terminal: bool) -> None:
    stream = Stream(terminal=terminal)
    logs.configure(form, Level.INFO, stream)
    structlog.get_logger().info("placed", plan="forklift/db")
    assert "placed" in stream.text
    assert "{" not in stream.text
    assert ("\x1b[" in stream.text) == terminal
