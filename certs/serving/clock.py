"""A wall clock for dates, which may jump, and a monotonic clock for waits, which does not."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Clock:
    wall: Callable[[], datetime]
    monotonic: Callable[[], float]
    """Seconds since an arbitrary moment."""


SYSTEM_CLOCK = Clock(wall=lambda: datetime.now(UTC), monotonic=time.monotonic)
