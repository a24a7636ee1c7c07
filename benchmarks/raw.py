"""Everything that was measured."""

from dataclasses import dataclass, field


@dataclass
class Raw:
    """Filled while the budgets are measured."""

    rates: dict[str, list[float]] = field(default_factory=dict)
    """Reviews a second by server, round by round."""
    latencies: dict[int, dict[str, list[list[float]]]] = field(default_factory=dict)
    """Seconds of each review, by reviews a second and server, round by round."""
    memory: dict[int, int] = field(default_factory=dict)
    """Bytes by number of plans."""
    lookups: dict[int, list[float]] = field(default_factory=dict)
    """Seconds by number of plans, round by round."""
    tests: float = 0
    """Seconds."""
