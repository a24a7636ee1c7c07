"""The importers that are refused at present, because another disk of their VM is to be bound first.

CDI creates a refused importer again, under the same name, until it is admitted.
"""

import threading
import time
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from webhook.model import Outcome

MAX_IDLE_SECONDS = 300.0
"""Since its last refusal, after which an importer no longer counts: another replica has admitted
it, or its PVC was deleted. CDI waits for up to 20 s between its first attempts, later longer."""
MAX_IMPORTERS = 10_000
"""That are kept; the one refused least recently is dropped first."""

Key = tuple[str, str]
"""Namespace and name of an importer."""


class RefusalsStatus(msgspec.Struct, frozen=True):
    """The importers that are refused at present."""

    count: int = 0
    longest_seconds: float = 0.0
    """From the first to the last refusal of the importer for which that is longest."""


class _Refused(NamedTuple):
    first: float
    last: float


class Refusals:
    """Keeps the time of the first and last refusal of each importer. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._refused: dict[Key, _Refused] = {}

    def record(self, key: Key, outcome: Outcome) -> None:
        """Record the outcome of a review of an importer, unless it is a dry run."""
        now = self._clock()
        with self._lock:
            before = self._refused.pop(key, None)
            if outcome is not Outcome.REFUSED:
                return
            if before is None or now - before.last > MAX_IDLE_SECONDS:
                before = _Refused(now, now)
            self._refused[key] = _Refused(before.first, now)
            if len(self._refused) > MAX_IMPORTERS:
                del self._refused[next(iter(self._refused))]

    def status(self) -> RefusalsStatus:
        """Return the current state, and drop importers that no longer count."""
        earliest = self._clock() - MAX_IDLE_SECONDS
        with self._lock:
            self._refused = {
                key: refused for key, refused in self._refused.items() if refused.last >= earliest
            }
            found = [refused.last - refused.first for refused in self._refused.values()]
        return RefusalsStatus(len(found), max(found, default=0.0))
