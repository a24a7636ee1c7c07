"""Raw results of the measurements."""

from dataclasses import dataclass, field

from benchmarks.load import Rate


@dataclass
class Raw:
    """The results of `benchmarks/run.py`, filled while it runs."""

    rates: dict[str, list[Rate]] = field(default_factory=dict)
    """By server, one for each round."""
    latencies: dict[int, dict[str, list[list[float]]]] = field(default_factory=dict)
    """Seconds of each review, by reviews per second and server, for each round."""
    memory: dict[int, int] = field(default_factory=dict)
    """Bytes by number of plans."""
    disks: dict[int, int] = field(default_factory=dict)
    """Bytes by number of disks."""
    disk_lookups: dict[int, list[float]] = field(default_factory=dict)
    """Seconds by number of disks, for each round."""
    lookups: dict[int, list[float]] = field(default_factory=dict)
    """Seconds by number of plans, for each round."""
    slow_inputs: dict[str, float] = field(default_factory=dict)
    """CPU time in calibration loops, by the name of the input."""
    tests: float = 0
    """Seconds of the default test run."""
