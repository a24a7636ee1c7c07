"""CPU time of a function, also relative to a calibration loop in the same process.

Other processes of the machine hardly change a ratio of two CPU times.
"""

import contextlib
import gc
import signal
from collections.abc import Callable, Iterator
from time import thread_time
from types import FrameType

LOOPS_IN_100_MS = 10.0
"""Calibration loops in 100 ms, on the machine of docs/performance.md."""


class TooSlow(BaseException):
    """A function did not end in the given time. No handler of errors may catch it."""


def calibrate() -> float:
    """Return the seconds of the calibration loop: the minimum of several."""
    return min(measure(_loop) for _ in range(5))


def measure(run: Callable[[], object]) -> float:
    """Return the seconds of a function in this thread, which begins without garbage.

    The time of the process would have steps of 4 ms while `limit` is set.
    """
    gc.collect()
    began = thread_time()
    run()
    return thread_time() - began


@contextlib.contextmanager
def limit(seconds: float) -> Iterator[None]:
    """Raise TooSlow in the main thread after this CPU time."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise TooSlow

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _loop() -> int:
    """Do what the webhook does most: dictionaries, texts and calls, without a library."""
    found: dict[str, int] = {}
    for number in range(42_000):
        key = f"key-{number % 500}"
        found[key] = found.get(key, 0) + len(key)
    return sum(found.values())
