"""The log is written in a thread, so that a reader that hangs stops nothing."""

import io
import os
from collections.abc import Iterator
from typing import TextIO

import pytest
import structlog

from tests.support.waiting import eventually
from webhook.telemetry import log_writer
from webhook.telemetry.log_writer import MAX_PENDING_BYTES, LogWriter, log_in_background
from webhook.telemetry.logs import Format, Level


@pytest.fixture
def pipe() -> Iterator[tuple[int, TextIO]]:
    """Return the reading end of a pipe, and its writing end as a stream."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "w", encoding="utf-8") as stream:
        yield reading, stream
        os.close(reading)


def test_lines_are_written_in_their_order_until_the_end(pipe: tuple[int, TextIO]) -> None:
    reading, stream = pipe
    writer = LogWriter(stream)
    writer.start()
    for number in range(100):
        writer.stream.write(f"{number} é\n")
    writer.stop()

    assert os.read(reading, 10_000).decode() == "".join(f"{n} é\n" for n in range(100))
    assert writer.dropped == 0


def test_a_reader_that_hangs_blocks_nobody_and_dropped_lines_are_counted(
    pipe: tuple[int, TextIO],
) -> None:
    reading, stream = pipe
    writer = LogWriter(stream)
    writer.start()
    line = "x" * 1023 + "\n"
    count = 2 * MAX_PENDING_BYTES // len(line)
    for _ in range(count):
        writer.stream.write(line)
        writer.stream.flush()
    assert 0 < writer.dropped < count

    received = 0
    while received < (count - writer.dropped) * len(line):
        received += len(os.read(reading, 1 << 20))
    eventually(lambda: writer._pending._size == 0)
    writer.stream.write("again\n")
    writer.stop()
    assert os.read(reading, 100) == b"again\n"


def test_a_reader_that_hangs_delays_the_end_by_a_moment(
    pipe: tuple[int, TextIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_writer, "STOP_TIMEOUT_SECONDS", 0.05)
    reading, stream = pipe
    writer = LogWriter(stream)
    writer.start()
    writer.stream.write("x" * 2**20)
    writer.stop()
    assert writer._pending.thread.is_alive()
    left = 2**20
    while left:
        left -= len(os.read(reading, left))
    writer._pending.thread.join(5)
    assert not writer._pending.thread.is_alive()


def test_a_reader_that_is_gone_is_no_error(pipe: tuple[int, TextIO]) -> None:
    reading, stream = pipe
    os.dup2(os.open(os.devnull, os.O_RDONLY), reading)
    writer = LogWriter(stream)
    writer.start()
    writer.stream.write("lost\n")
    writer.stop()
    assert not writer._pending.thread.is_alive()


@pytest.mark.parametrize("is_terminal", [True, False])
def test_the_format_is_that_of_the_stream(
    is_terminal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    buffer = io.BytesIO()
    stream = io.TextIOWrapper(buffer, encoding="utf-8")
    monkeypatch.setattr(stream, "isatty", lambda: is_terminal)
    monkeypatch.setattr("sys.stderr", stream)
    with log_in_background(Format.AUTO, Level.INFO):
        structlog.get_logger().info("in the thread")
    structlog.get_logger().info("afterwards")
    stream.flush()
    text = buffer.getvalue().decode()
    assert ("{" in text) != is_terminal
    assert text.index("in the thread") < text.index("afterwards")


def test_a_line_of_a_thread_that_outlives_the_writer_is_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stop = LogWriter.stop

    def stop_and_log(writer: LogWriter) -> None:
        stop(writer)
        structlog.get_logger().info("late")

    buffer = io.BytesIO()
    stream = io.TextIOWrapper(buffer, encoding="utf-8")
    monkeypatch.setattr(LogWriter, "stop", stop_and_log)
    monkeypatch.setattr("sys.stderr", stream)
    with log_in_background(Format.JSON, Level.INFO):
        structlog.get_logger().info("early")
    text = buffer.getvalue().decode()
    assert text.index("early") < text.index("late")
