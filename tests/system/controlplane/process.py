"""Programs that a test starts and ends, by their process ids and nothing else."""

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from secrets import randbelow
from typing import TypeVar

T = TypeVar("T")

# Linux ends the program with whoever started it, also when that was killed and could not tidy up.
_SETPRIV = shutil.which("setpriv")
_LEASH = [_SETPRIV, "--pdeathsig", "TERM", "--"] if _SETPRIV else []


class WaitError(AssertionError):
    """Something that was waited for did not come."""


def until(what: str, found: Callable[[], T | None], *, seconds: float = 60) -> T:
    """Ask every few milliseconds until there is an answer that is true, and return it.

    What is waited for comes in a moment; the limit is for machines that are busy.

    Raises:
        WaitError: after `seconds`; the text says what was waited for.

    """
    end = time.monotonic() + seconds
    while True:
        if answer := found():
            return answer
        if time.monotonic() > end:
            raise WaitError(f"waited {seconds:g} s for {what}")
        time.sleep(0.02)


def free_port() -> int:
    """Return a TCP port of the loopback interface that nobody listens on.

    It is below those from which Linux takes the near ends of connections: whoever is to listen
    there later would find one of the thousands of connections of these tests in its place.
    """
    while True:
        port = 10_000 + randbelow(20_000)
        with socket.socket() as listener, suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port


class Process:
    """A program with its output in a file; it can be started again after it has ended."""

    def __init__(self, name: str, command: list[str | Path], folder: Path) -> None:
        self.name = name
        self.command = command
        self.log = folder / f"{name}.log"
        self._running: subprocess.Popen[bytes] | None = None

    def start(self, environment: Mapping[str, str] | None = None) -> None:
        """Start it; `environment` takes the place of this process's own."""
        with self.log.open("ab") as log:
            self._running = subprocess.Popen(
                [*_LEASH, *self.command],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # an interrupt at the terminal is for the tests to handle
            )

    @property
    def pid(self) -> int:
        assert self._running is not None, f"{self.name} was not started"
        return self._running.pid

    @property
    def running(self) -> bool:
        return self._running is not None and self._running.poll() is None

    def wait_for(self, what: str, found: Callable[[], T | None], *, seconds: float = 60) -> T:
        """Wait as `until`, but no longer than the program lives."""

        def alive() -> T | None:
            if not self.running:
                raise WaitError(f"{self.name} has ended")
            return found()

        try:
            return until(f"{self.name}: {what}", alive, seconds=seconds)
        except WaitError as error:
            raise WaitError(f"{error}; its log:\n{self.tail()}") from None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, where the program is still there."""
        if self._running is not None and self.running:
            self._running.send_signal(number)

    def stop(self, *, seconds: float = 10) -> int | None:
        """Ask the program to end, then make it; return its exit code, None if it never ran."""
        if self._running is None:
            return None
        self.signal(signal.SIGTERM)
        try:
            return self._running.wait(seconds)
        except subprocess.TimeoutExpired:
            return self.kill()

    def kill(self) -> int | None:
        """End the program without asking."""
        if self._running is None:
            return None
        self.signal(signal.SIGKILL)
        return self._running.wait(10)

    def tail(self, lines: int = 40) -> str:
        """Return the end of what it has written."""
        text = self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])
