"""Everything that was measured."""

from dataclasses import dataclass, field

from benchmarks.load import Rate


@dataclass
class Raw:
    """Filled while the budgets are measured."""

    rates: dict[str, list[Rate]] = field(default_factory=dict)
    """By server, round by round."""
    latencies: dict[int, dict[str, list[list[float]]]] = field(default_factory=dict)
    """Seconds of each review, by reviews a second and server, round by round."""
    memory: dict[int, int] = field(default_factory=dict)
    """Bytes by number of plans."""
    lookups: dict[int, list[float]] = field(default_factory=dict)
    """Seconds by number of plans, round by round."""
    tests: float = 0
    """Seconds."""
