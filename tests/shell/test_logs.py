import io
import json
import logging
from typing import Any

import pytest
import structlog

from webhook import logs
from webhook.logs import Format, Level


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
