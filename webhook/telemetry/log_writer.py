"""Log writer: writes the log in a thread of its own.

The program that reads the log may stop reading, for example while its disk is full. Then a pipe
fills up, and a write to it does not return: without the thread, no review would get a response.
"""

import io
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from queue import SimpleQueue
from typing import TYPE_CHECKING, TextIO

from webhook.telemetry import logs
from webhook.telemetry.logs import Format, Level

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

MAX_PENDING_BYTES = 4 * 2**20
"""Some ten thousand lines."""
STOP_TIMEOUT_SECONDS = 1.0


@contextmanager
def log_in_background(form: Format, level: Level) -> Iterator["LogWriter"]:
    """Configure the log, and write it to standard error in a thread."""
    writer = LogWriter(sys.stderr)
    writer.start()
    logs.configure(form, level, writer.stream)
    try:
        yield writer
    finally:
        logs.configure(form, level)  # first, so that no thread writes to a writer that has ended
        writer.stop()


class LogWriter:
    """Writes to `stream` what is written to `self.stream`, which never blocks."""

    def __init__(self, stream: TextIO) -> None:
        self._pending = _PendingBytes(stream)
        self.stream: TextIO = io.TextIOWrapper(
            io.BufferedWriter(self._pending), encoding=stream.encoding, errors="backslashreplace"
        )

    @property
    def dropped(self) -> int:
        """The number of lines that were dropped because the reader does not keep up."""
        return self._pending.dropped

    def start(self) -> None:
        self._pending.thread.start()

    def stop(self) -> None:
        """Write what is pending, in at most a second."""
        self.stream.flush()
        self._pending.stop()


class _PendingBytes(io.RawIOBase):
    """Queues what is written to it for its thread."""

    def __init__(self, stream: TextIO) -> None:
        # A thread that hangs must not hold the lock of a buffer: at its exit Python flushes them.
        self._target = getattr(stream.buffer, "raw", stream.buffer)
        self._is_terminal = stream.isatty()
        self._queue: SimpleQueue[bytes | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._size = 0
        self.dropped = 0
        self.thread = threading.Thread(target=self._run, name="log", daemon=True)

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self._is_terminal

    def write(self, data: "ReadableBuffer", /) -> int:
        copy = bytes(data)
        with self._lock:
            if self._size + len(copy) > MAX_PENDING_BYTES:
                self.dropped += copy.count(b"\n")
                return len(copy)
            self._size += len(copy)
        self._queue.put(copy)
        return len(copy)

    def stop(self) -> None:
        self._queue.put(None)
        self.thread.join(STOP_TIMEOUT_SECONDS)

    def _run(self) -> None:
        while (data := self._queue.get()) is not None:
            with suppress(OSError):  # there is nowhere to report it
                self._write(memoryview(data))
            with self._lock:
                self._size -= len(data)

    def _write(self, data: memoryview) -> None:
        while data:
            data = data[self._target.write(data) or len(data) :]
        self._target.flush()
