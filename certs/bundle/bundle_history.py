"""The recent contents of the caBundles, any of which an API server may still use.

API servers observe a change a moment later, and each at its own time. A certificate is therefore
served, and a CA retired, only if every recent content allows it.
"""

from collections.abc import Callable, Iterable
from typing import TypeVar

from certs.ca.certificate import Certificate, TrustBundle

Chain = TypeVar("Chain")


class BundleHistory:
    """The contents of all caBundles within the last `window_seconds`.

    Times are seconds of a monotonic clock, so that a jump of the wall clock shortens no wait.
    """

    def __init__(self, window_seconds: float) -> None:
        self._window_seconds = window_seconds
        self._first_read: float | None = None
        self._latest: frozenset[str] = frozenset()
        self._contents: dict[str, TrustBundle] = {}
        self._last_seen: dict[str, float] = {}

    def record(self, bundles: Iterable[TrustBundle], at: float) -> None:
        """Record what all caBundles hold now."""
        current = {_fingerprint(bundle): bundle for bundle in bundles}
        # The contents of the previous read may have been there until just now.
        for fingerprint in self._latest | current.keys():
            self._last_seen[fingerprint] = at
        self._contents |= current
        self._latest = frozenset(current)
        self._first_read = at if self._first_read is None else self._first_read
        for fingerprint, seen in list(self._last_seen.items()):
            if seen < at - self._window_seconds:
                del self._last_seen[fingerprint], self._contents[fingerprint]

    @property
    def is_empty(self) -> bool:
        """No caBundle has been read yet."""
        return self._first_read is None

    def latest(self) -> tuple[TrustBundle, ...]:
        """Return the contents of the last read."""
        return tuple(self._contents[fingerprint] for fingerprint in self._latest)

    def within(self, seconds: float, at: float) -> tuple[TrustBundle, ...] | None:
        """Return the contents of the last `seconds`; None if the first read was later."""
        if self._first_read is None or at - self._first_read < seconds:
            return None
        return tuple(
            bundle
            for fingerprint, bundle in self._contents.items()
            if self._last_seen[fingerprint] >= at - seconds or fingerprint in self._latest
        )

    def always_held(self, certificate: Certificate, at: float) -> bool:
        """Return whether every caBundle has held this certificate for the whole window."""
        bundles = self.within(self._window_seconds, at)
        return bundles is not None and all(certificate in bundle for bundle in bundles)

    def allows_replacement(
        self, current: Chain, new: Chain, accepts: Callable[[Chain, TrustBundle], bool]
    ) -> bool:
        """Return whether every API server that accepts the current chain accepts the new one.

        `accepts(chain, bundle)` returns whether a client that trusts the bundle accepts the chain.
        """
        return all(
            accepts(new, bundle) or not accepts(current, bundle)
            for bundle in self._contents.values()
        )


def _fingerprint(bundle: TrustBundle) -> str:
    return " ".join(sorted(certificate.fingerprint for certificate in bundle))
