"""The CA beside certificates that others made, published for those who cannot do it themselves.

A CA that leaves the file leaves the bundles a while later: when what is served has done without
it for `publish_wait`. By then every replica has seen the new file, which comes to their nodes
within a minute or two, and serves the new certificate. It is taken out once; who puts it back
has a reason, be it a replica that is behind. Only a process that saw it in the file does so, for
what others put into a bundle is theirs.
"""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from certs.bundle.bundle_history import Views, may_replace
from certs.bundle.interface import Cluster
from certs.bundle.publisher import Publisher
from certs.ca.certificate import Certificate, KeyPair, TrustBundle, encode_pem, parse_blocks
from certs.ca.durations import Durations
from certs.serving import handshake
from certs.serving.clock import SYSTEM, Clock


class Provided:
    """Keeps the bundles of a cluster's webhooks to the certificates of the file `ca`.

    `name` is what API servers call the webhook, `<service>.<namespace>.svc`.
    """

    def __init__(
        self,
        cluster: Cluster,
        ca: Path,
        name: str,
        durations: Durations = Durations(),  # noqa: B008 - it cannot change
        clock: Clock = SYSTEM,
    ) -> None:
        self.ca = ca
        self.not_after: datetime | None = None
        """Of the CA that ends first."""
        self._cluster = cluster
        self._name = name
        self._settle = durations.settle.total_seconds()
        self._wait = durations.publish_wait.total_seconds()
        self._clock = clock
        self._publisher = Publisher(cluster, Views(self._wait))
        self._trust: tuple[Certificate, ...] = ()
        self._gone: frozenset[str] = frozenset()
        """Fingerprints of what was in the file and has to leave the bundles."""
        self._without_since: float | None = None
        """Since when what is served has needed none of these."""

    @property
    def published(self) -> bool:
        return self._publisher.published

    @property
    def settled(self) -> bool:
        return self._publisher.settled

    @property
    def repairs(self) -> int:
        return self._publisher.repairs

    def watch(self, wake: Callable[[], None]) -> Callable[[], None]:
        return self._cluster.watch(wake)

    def publish(self, ca: bytes) -> list[str]:
        """Put these certificates (PEM) into every bundle; return what went wrong."""
        blocks = parse_blocks(ca)
        problems = [f"'{self.ca}': {block}" for block in blocks if isinstance(block, str)]
        trust = tuple(block for block in blocks if isinstance(block, Certificate))
        if not blocks:
            problems.append(f"'{self.ca}': no certificate, expected '-----BEGIN CERTIFICATE-----'")
        if not trust:
            return problems
        self.not_after = min(certificate.not_after for certificate in trust)
        self._compare(trust)
        retired = self._retired()
        # Once to write, once to read back.
        for _ in range(2):
            now, at = self._clock.wall() + self._cluster.clock_offset(), self._clock.monotonic()
            wrote = self._publisher.publish(trust, retired=retired, now=now, at=at)
            if not wrote:
                break
        if not wrote and not self._publisher.problems:
            self._gone -= retired
        return problems + self._publisher.problems

    def may_replace(self, current: KeyPair, candidate: KeyPair) -> bool:
        return may_replace(current, candidate, self._publisher.views, self._accepts)

    def judge(self, pair: KeyPair) -> list[str]:
        """Find out whether API servers take what is served; return why not where that is new."""
        at = self._clock.monotonic()
        self._publisher.judge(lambda view: self._accepts(pair, view), settle=self._settle, at=at)
        if not self._gone or not self._accepts(pair, self._trust):
            self._without_since = None
        elif self._without_since is None:
            self._without_since = at
        if self.settled:
            return []
        refusals = (self._refusal(pair, view) for view in self._publisher.views.latest())
        return [f"API servers refuse the certificate: {why}" for why in filter(None, refusals)][:1]

    def _compare(self, trust: tuple[Certificate, ...]) -> None:
        """Take note of what has left the file since the last look, and of what came back."""
        before, after = ({found.fingerprint for found in cas} for cas in (self._trust, trust))
        if before - after:
            self._without_since = None
        self._gone = (self._gone | before) - after
        self._trust = trust

    def _retired(self) -> frozenset[str]:
        since = self._without_since
        over = since is not None and self._clock.monotonic() - since >= self._wait
        return self._gone if over else frozenset()

    def _accepts(self, pair: KeyPair, view: TrustBundle) -> bool:
        return self._refusal(pair, view) is None

    def _refusal(self, pair: KeyPair, view: TrustBundle) -> str | None:
        return handshake.verify(pair, encode_pem(view), self._name)
