"""The two clocks: one for dates, which may jump, and one for waits, which does not."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Clock:
    """What time it is, and how many seconds have passed since some moment."""

    wall: Callable[[], datetime]
    monotonic: Callable[[], float]


SYSTEM = Clock(wall=lambda: datetime.now(UTC), monotonic=time.monotonic)
