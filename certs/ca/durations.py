"""Lifetimes of certificates, and the waits of a rotation."""

from dataclasses import dataclass
from datetime import timedelta

MAX_BUNDLE_CERTIFICATES = 10
"""Certificates in a caBundle. Of those that other clients added, the newest are kept."""


@dataclass(frozen=True, slots=True)
class Durations:
    """Lifetimes and waits; tests use short ones, to rotate for years within minutes.

    Raises ValueError if they contradict each other.
    """

    ca: timedelta = timedelta(days=365)
    """Lifetime of a CA."""
    leaf: timedelta = timedelta(days=7)
    """Lifetime of a serving certificate."""
    backdate: timedelta = timedelta(hours=1)
    """Time before now at which certificates become valid, for clocks that run behind."""
    publish_wait: timedelta = timedelta(minutes=10)
    """Time for which every caBundle must have held a CA before a leaf of it is served: longer
    than an API server takes to observe a change."""
    grace: timedelta = timedelta(days=1)
    """Time for which a replaced CA stays trusted after its last leaf has expired: longer than a
    replica may be disconnected from the API server."""
    settle: timedelta = timedelta(seconds=3)
    """Time for which every caBundle must accept the serving certificate before a replica that
    starts is ready."""

    def __post_init__(self) -> None:
        # The last third of a CA's lifetime must have room for the wait, and for a second one.
        minimum = 6 * self.publish_wait
        if self.ca < minimum:
            raise ValueError(
                f"CA lifetime: found {self.ca}, expected at least {minimum}, "
                "six times the publish wait"
            )
        trusted = self.leaf + self.grace
        # A new CA follows after two thirds. Besides the replaced ones a bundle must hold the
        # active and the next CA, and one that another client added.
        minimum = trusted / (MAX_BUNDLE_CERTIFICATES - 3) * 3 / 2
        if self.ca < minimum:
            raise ValueError(
                f"CA lifetime: found {self.ca}, expected at least {minimum}: replaced CAs stay "
                f"trusted for {trusted}, more of them than a caBundle can hold"
            )
