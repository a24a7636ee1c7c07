"""Programs that a test starts, and stops by their process IDs."""

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

# Linux stops the program when the test process ends, also if that was killed.
_SETPRIV = shutil.which("setpriv")
_LEASH = [_SETPRIV, "--pdeathsig", "TERM", "--"] if _SETPRIV else []


class WaitError(AssertionError):
    """A condition did not become true in time."""


def until(what: str, found: Callable[[], T | None], *, seconds: float = 60) -> T:
    """Call `found` every 20 ms until it returns a true value, and return that.

    Raises:
        WaitError: after `seconds`, which allow for a busy machine; the text has `what`.

    """
    end = time.monotonic() + seconds
    while True:
        if value := found():
            return value
        if time.monotonic() > end:
            raise WaitError(f"waited {seconds:g} s for {what}")
        time.sleep(0.02)


def free_port() -> int:
    """Return a TCP port of the loopback interface that is not in use.

    It is below the ephemeral ports, which the thousands of connections of these tests use: one of
    those could be taken before the program listens on it.
    """
    while True:
        port = 10_000 + randbelow(20_000)
        with socket.socket() as listener, suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port


class Process:
    """A program with its output in a file; it can be restarted."""

    def __init__(self, name: str, command: list[str | Path], folder: Path) -> None:
        self.name = name
        self.command = command
        self.log = folder / f"{name}.log"
        self._running: subprocess.Popen[bytes] | None = None

    def start(self, environment: Mapping[str, str] | None = None) -> None:
        """Start it; `environment` replaces that of this process."""
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
        """Wait as `until`, but fail when the program ends."""

        def alive() -> T | None:
            if not self.running:
                raise WaitError(f"{self.name} has ended")
            return found()

        try:
            return until(f"{self.name}: {what}", alive, seconds=seconds)
        except WaitError as error:
            raise WaitError(f"{error}; its log:\n{self.tail()}") from None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, if the program is running."""
        if self._running is not None and self.running:
            self._running.send_signal(number)

    def stop(self, *, seconds: float = 10) -> int | None:
        """Send SIGTERM, and SIGKILL after `seconds`; return the exit code, None if it never ran."""
        if self._running is None:
            return None
        self.signal(signal.SIGTERM)
        try:
            return self._running.wait(seconds)
        except subprocess.TimeoutExpired:
            return self.kill()

    def kill(self) -> int | None:
        """Send SIGKILL."""
        if self._running is None:
            return None
        self.signal(signal.SIGKILL)
        return self._running.wait(10)

    def tail(self, lines: int = 40) -> str:
        """Return the end of its output."""
        text = self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])
