import io
import json
import logging
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
import structlog

from webhook.telemetry import logs
from webhook.telemetry.logs import Format, Level, Line


class Stream(io.TextIOWrapper):
    """A stream that may say it is a terminal."""

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


def test_a_line_is_an_object_that_begins_with_when_and_what() -> None:
    stream = Stream()
    logs.configure(Format.AUTO, Level.INFO, stream)
    structlog.get_logger().info("placed", plan="forklift/db", odd={1, 2}, path=object)
    (line,) = stream.lines()
    assert [*line] == ["time", "level", "message", "plan", "odd", "path"]
    assert line["time"].endswith("Z")
    assert (line["level"], line["message"], line["plan"]) == ("info", "placed", "forklift/db")


class Said(Line, kw_only=True):
    who: str
    times: int = 0


SAID = [
    Said(level=Level.INFO, message="once", who="é"),
    Said(level=Level.DEBUG, message="too quiet", who="a"),
    Said(level=Level.WARNING, message="often", who='"', times=3),
]


@pytest.mark.parametrize("level", Level)
def test_lines_that_are_written_together_are_as_if_written_one_by_one(level: Level) -> None:
    together, apart = Stream(), Stream()
    logs.configure(Format.JSON, level, together)
    logs.write(SAID)
    logs.configure(Format.JSON, level, apart)
    for line in SAID:
        fields = msgspec.to_builtins(line)
        getattr(structlog.get_logger(), fields.pop("level"))(fields.pop("message"), **fields)
    assert [[*line] for line in together.lines()] == [[*line] for line in apart.lines()]
    for line in together.lines() + apart.lines():
        assert datetime.fromisoformat(line["time"]).tzinfo is UTC

    def without_time(stream: Stream) -> list[Any]:
        return [{**line, "time": None} for line in stream.lines()]

    assert without_time(together) == without_time(apart)


def test_lines_that_are_written_together_are_for_people_on_a_terminal() -> None:
    stream = Stream(terminal=True)
    logs.configure(Format.TEXT, Level.INFO, stream)
    logs.write(SAID)
    first, second = stream.text.splitlines()
    assert "once" in first
    assert "often" in second


def test_a_trace_is_a_field() -> None:
    stream = Stream()
    logs.configure(Format.JSON, Level.INFO, stream)
    with pytest.raises(ZeroDivisionError) as error:
        divmod(1, 0)
    structlog.get_logger().error("a bug", exc_info=error.value)
    (line,) = stream.lines()
    assert line["exception"].startswith("Traceback (most recent call last):\n")
    assert line["exception"].endswith("ZeroDivisionError: integer division or modulo by zero")


@pytest.mark.parametrize(
    ("level", "heard"),
    [
        (Level.DEBUG, ["debug", "info", "warning", "error"]),
        (Level.INFO, ["info", "warning", "error"]),
        (Level.WARNING, ["warning", "error"]),
        (Level.ERROR, ["error"]),
    ],
)
def test_what_is_less_important_than_asked_for_is_not_written(
    level: Level, heard: list[str]
) -> None:
    stream = Stream()
    logs.configure(Format.JSON, level, stream)
    for name in ("debug", "info", "warning", "error"):
        getattr(structlog.get_logger(), name)(name)
    assert [line["level"] for line in stream.lines()] == heard


def test_libraries_are_heard_from_warnings_on() -> None:
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
def test_people_get_a_line_of_text(form: Format, terminal: bool) -> None:
    stream = Stream(terminal=terminal)
    logs.configure(form, Level.INFO, stream)
    structlog.get_logger().info("placed", plan="forklift/db")
    assert "placed" in stream.text
    assert "{" not in stream.text
    assert ("\x1b[" in stream.text) == terminal
