"""A thread that runs a function repeatedly, and earlier when it is woken."""

import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

import structlog

log = structlog.get_logger()

_MIN_PAUSE_SECONDS = 1.0
"""The least time between two runs, however often watched objects change."""

_ERROR_PAUSE_SECONDS = 30.0


@contextmanager
def collect_errors(problems: list[str], known: Collection[str]) -> Iterator[None]:
    """Append an unexpected error to `problems`, so that the other parts of a round still run.

    The traceback is logged unless the error is in `known`, the problems of the previous round.
    """
    try:
        yield
    except Exception as error:  # the certificate must be served whatever fails here
        problem = f"unexpected {type(error).__name__}: {error}"
        if problem not in known:
            log.exception("certificate maintenance failed")
        problems.append(problem)


class Loop:
    """Runs `step`, which returns the seconds until its next run, until `stop`.

    Pauses are short, so that a machine that was suspended continues soon after.
    """

    def __init__(self, step: Callable[[], float], name: str) -> None:
        self._step = step
        self._woken = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        self._woken.set()

    def stop(self) -> None:
        """End the thread, without waiting for an API request that it is in."""
        self._stopped.set()
        self._woken.set()
        self._thread.join(timeout=_MIN_PAUSE_SECONDS)

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._woken.clear()
            try:
                pause = self._step()
            except Exception:  # the thread must go on
                log.exception("certificate maintenance failed", thread=self._thread.name)
                pause = _ERROR_PAUSE_SECONDS
            if not self._stopped.wait(min(pause, _MIN_PAUSE_SECONDS)):
                self._woken.wait(max(pause - _MIN_PAUSE_SECONDS, 0))
