"""What API servers may hold for the bundle: not only what it is now.

An API server learns of a change a moment later, and there are several of them. So whoever
serves or retires something asks for every content that the bundles have had of late.
"""

from collections.abc import Callable, Iterable
from typing import TypeVar

from certs.ca.certificate import Certificate, TrustBundle

Chain = TypeVar("Chain")


class Views:
    """The contents that the bundles have had within the last `window` seconds.

    Times are seconds of a monotonic clock, so that no jump of the wall clock shortens a wait.
    """

    def __init__(self, window: float) -> None:
        self._window = window
        self._first: float | None = None
        self._latest: frozenset[str] = frozenset()
        self._views: dict[str, TrustBundle] = {}
        self._live_until: dict[str, float] = {}

    def record(self, bundles: Iterable[TrustBundle], at: float) -> None:
        """Take note of what all bundles hold now."""
        current = {_identity(view): view for view in bundles}
        # What was there at the last look may have been there until just now.
        for identity in self._latest | current.keys():
            self._live_until[identity] = at
        self._views |= current
        self._latest = frozenset(current)
        self._first = at if self._first is None else self._first
        for identity, until in list(self._live_until.items()):
            if until < at - self._window:
                del self._live_until[identity], self._views[identity]

    @property
    def known(self) -> bool:
        """Whether there was any look at all."""
        return self._first is not None

    def latest(self) -> tuple[TrustBundle, ...]:
        """Return the contents at the last look."""
        return tuple(self._views[identity] for identity in self._latest)

    def within(self, seconds: float, at: float) -> tuple[TrustBundle, ...] | None:
        """Return the contents of the last `seconds`; None before as long a time of looking."""
        if self._first is None or at - self._first < seconds:
            return None
        return tuple(
            view
            for identity, view in self._views.items()
            if self._live_until[identity] >= at - seconds or identity in self._latest
        )

    def all(self) -> tuple[TrustBundle, ...]:
        """Return every content of the window."""
        return tuple(self._views.values())

    def have_held(self, certificate: Certificate, at: float) -> bool:
        """Whether every bundle has held this certificate for the whole window."""
        views = self.within(self._window, at)
        return views is not None and all(certificate in view for view in views)


def may_replace(
    current: Chain, candidate: Chain, views: Views, accepts: Callable[[Chain, TrustBundle], bool]
) -> bool:
    """Whether no API server that takes `current` would refuse `candidate`.

    `accepts(chain, view)` says whether a client that trusts the view takes the chain.
    """
    return all(accepts(candidate, view) or not accepts(current, view) for view in views.all())


def _identity(view: TrustBundle) -> str:
    return " ".join(sorted(certificate.fingerprint for certificate in view))
