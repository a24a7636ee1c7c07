"""A thread that does one thing again and again, and sooner when it is woken."""

import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

import structlog

log = structlog.get_logger()

_REST = 1.0
"""Seconds between two rounds at least, however often others change what is watched."""

_AFTER_A_BUG = 30.0


@contextmanager
def forgiving(problems: list[str], known: Collection[str]) -> Iterator[None]:
    """Have what nobody foresaw end one part of a round and no other, and be told of.

    `known` is what the round before had to tell: a trace is logged once, not every second.
    """
    try:
        yield
    except Exception as error:  # certificates go on being served whatever is wrong here
        problem = f"unexpected {type(error).__name__}: {error}"
        if problem not in known:
            log.exception("looking after certificates failed")
        problems.append(problem)


class Loop:
    """Runs `step`, which says in how many seconds it wants to run again, until `stop`.

    Waits are short ones on purpose: a machine that slept notices soon after.
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
        """End the thread; a call to the API that is under way is not waited for."""
        self._stopped.set()
        self._woken.set()
        self._thread.join(timeout=_REST)

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._woken.clear()
            try:
                pause = self._step()
            except Exception:  # the thread is needed again
                log.exception("looking after certificates failed", thread=self._thread.name)
                pause = _AFTER_A_BUG
            if not self._stopped.wait(min(pause, _REST)):
                self._woken.wait(max(pause - _REST, 0))
