"""The CA file beside a provided certificate, published in the caBundles.

A CA that is removed from the file is removed from the caBundles once the serving certificate has
not needed it for `publish_wait`. By then every replica has the new file, which the kubelet brings
to its node within a minute or two, and serves the new certificate. It is removed once: if it is
added again, another replica or client needs it. Only a process that has read the CA from the file
removes it, because other certificates in a caBundle belong to other clients.
"""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from certs.bundle.bundle_history import BundleHistory
from certs.bundle.interface import Cluster
from certs.bundle.publisher import Publisher
from certs.ca.certificate import Certificate, KeyPair, TrustBundle, encode_pem, parse_blocks
from certs.ca.durations import Durations
from certs.serving import handshake
from certs.serving.clock import SYSTEM_CLOCK, Clock


class ProvidedCA:
    """Publishes the certificates of the file `path` in a cluster's webhook configurations.

    `name` is the DNS name by which API servers call the webhook, `<service>.<namespace>.svc`.
    """

    def __init__(
        self,
        cluster: Cluster,
        path: Path,
        name: str,
        durations: Durations = Durations(),  # noqa: B008 - it is immutable
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.path = path
        self.not_after: datetime | None = None
        """Expiry of the CA that expires first."""
        self._cluster = cluster
        self._name = name
        self._settle_seconds = durations.settle.total_seconds()
        self._wait_seconds = durations.publish_wait.total_seconds()
        self._clock = clock
        self._publisher = Publisher(cluster, BundleHistory(self._wait_seconds))
        self._trust: tuple[Certificate, ...] = ()
        self._removed: frozenset[str] = frozenset()
        """Fingerprints of CAs that were in the file and are still to leave the caBundles."""
        self._unneeded_since: float | None = None
        """Time since which the serving certificate has needed none of `_removed`."""

    @property
    def published(self) -> bool:
        return self._publisher.published

    @property
    def settled(self) -> bool:
        return self._publisher.settled

    @property
    def repairs(self) -> int:
        return self._publisher.repairs

    def watch(self, on_change: Callable[[], None]) -> Callable[[], None]:
        return self._cluster.watch(on_change)

    def publish(self, ca: bytes) -> list[str]:
        """Publish the certificates of the file (PEM) in every caBundle; return the problems."""
        blocks = parse_blocks(ca)
        problems = [f"'{self.path}': {block}" for block in blocks if isinstance(block, str)]
        trust = tuple(block for block in blocks if isinstance(block, Certificate))
        if not blocks:
            problems.append(
                f"'{self.path}': no certificate, expected '-----BEGIN CERTIFICATE-----'"
            )
        if not trust:
            return problems
        self.not_after = min(certificate.not_after for certificate in trust)
        self._track_removals(trust)
        retired = self._retired()
        # Once to write, once to read back.
        for _ in range(2):
            now, at = self._clock.wall() + self._cluster.clock_offset(), self._clock.monotonic()
            wrote = self._publisher.publish(trust, retired=retired, now=now, at=at)
            if not wrote:
                break
        if not wrote and not self._publisher.problems:
            self._removed -= retired
        return problems + self._publisher.problems

    def allows_replacement(self, current: KeyPair, new: KeyPair) -> bool:
        return self._publisher.history.allows_replacement(current, new, self._accepts)

    def check(self, pair: KeyPair) -> list[str]:
        """Check whether API servers accept the serving certificate; return why not, at first."""
        at = self._clock.monotonic()
        self._publisher.check(
            lambda bundle: self._accepts(pair, bundle), settle=self._settle_seconds, at=at
        )
        if not self._removed or not self._accepts(pair, self._trust):
            self._unneeded_since = None
        elif self._unneeded_since is None:
            self._unneeded_since = at
        if self.settled:
            return []
        errors = (self._verify(pair, bundle) for bundle in self._publisher.history.latest())
        return [f"API servers refuse the certificate: {error}" for error in errors if error][:1]

    def _track_removals(self, trust: tuple[Certificate, ...]) -> None:
        """Record which CAs have left the file since it was last read, and which have returned."""
        before, after = (
            {certificate.fingerprint for certificate in certificates}
            for certificates in (self._trust, trust)
        )
        if before - after:
            self._unneeded_since = None
        self._removed = (self._removed | before) - after
        self._trust = trust

    def _retired(self) -> frozenset[str]:
        """Return the fingerprints to remove from the caBundles now."""
        since = self._unneeded_since
        due = since is not None and self._clock.monotonic() - since >= self._wait_seconds
        return self._removed if due else frozenset()

    def _accepts(self, pair: KeyPair, bundle: TrustBundle) -> bool:
        return self._verify(pair, bundle) is None

    def _verify(self, pair: KeyPair, bundle: TrustBundle) -> str | None:
        return handshake.verify(pair, encode_pem(bundle), self._name)
