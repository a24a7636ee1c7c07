"""How long certificates and the steps of their rotation last."""

from dataclasses import dataclass
from datetime import timedelta

MAX_BUNDLE_CERTIFICATES = 10
"""Certificates in a caBundle; of those that this server does not know the newest stay."""


@dataclass(frozen=True, slots=True)
class Durations:
    """How long things last; shorter ones make a test of years take minutes.

    Raises ValueError where they contradict each other.
    """

    ca: timedelta = timedelta(days=365)
    leaf: timedelta = timedelta(days=7)
    backdate: timedelta = timedelta(hours=1)
    """How far before now certificates become valid, for clocks that run behind."""
    publish_wait: timedelta = timedelta(minutes=10)
    """How long a CA is seen in every bundle before a leaf of it is served: longer than an
    API server takes to learn of a change."""
    grace: timedelta = timedelta(days=1)
    """How long after the last leaf of a CA has ended the CA stays trusted: longer than a
    replica may be cut off from the API."""
    settle: timedelta = timedelta(seconds=3)
    """How long a bundle is seen to be right before a replica that starts calls itself ready."""

    def __post_init__(self) -> None:
        if self.ca < 6 * self.publish_wait:
            # Its last third has to hold the wait, and one that was broken off.
            raise ValueError(
                f"a CA of {self.ca}: expected six times the publish wait of {self.publish_wait}"
            )
        if (self.leaf + self.grace) / (self.ca * 2 / 3) > MAX_BUNDLE_CERTIFICATES - 3:
            # So many old ones are trusted at once, and a bundle has to hold them.
            raise ValueError(
                f"a CA of {self.ca}: expected a quarter of leaf and grace, {self.leaf + self.grace}"
            )
