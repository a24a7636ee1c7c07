"""Certificates with no help from outside: one CA in a Secret, a leaf in each replica's memory.

There is no leader. Every replica makes the same round: read the Secret, move the rotation on
where it is due, sign a leaf, publish the CA. Three rules keep replicas from harming each
other: nothing is used that was not read back; nothing is written but on the version that
was read; no leaf is replaced by one that an API server may refuse that takes the old one.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

import structlog

from certs.bundle.bundle_history import Views, may_replace
from certs.bundle.interface import CONFLICT, ApiError, Cluster
from certs.bundle.publisher import Publisher
from certs.ca import leaf, rotation, secret
from certs.ca.certificate import Certificate, KeyPair, TrustBundle
from certs.ca.durations import Durations
from certs.ca.leaf import ServingCertificate
from certs.ca.secret import SecretError, State
from certs.serving.clock import SYSTEM, Clock
from certs.serving.loop import Loop, forgiving
from certs.serving.source import WAITING, Status
from webhook.kube.objects import Json

log = structlog.get_logger()

_ROUNDS = 5
"""In a row, while there is something to read back."""


class SelfManaged:
    """A `Source` (`certs.serving.source`) whose CA lives in the cluster's Secret.

    `names` are what the leaf is valid for; the first is what API servers call the webhook,
    `<service>.<namespace>.svc`.
    """

    def __init__(
        self,
        cluster: Cluster,
        names: Sequence[str],
        durations: Durations = Durations(),  # noqa: B008 - it cannot change
        clock: Clock = SYSTEM,
    ) -> None:
        self._cluster = cluster
        self._names = tuple(names)
        self._durations = durations
        self._clock = clock
        self._views = Views(durations.publish_wait.total_seconds())
        self._publisher = Publisher(cluster, self._views)
        self._loop = Loop(self.step, "certificates")
        self._on_change: Callable[[KeyPair], None] = lambda _pair: None
        self._unwatch: Callable[[], None] = lambda: None
        self._state: State | None = None
        self._serving: ServingCertificate | None = None
        self._changes = 0
        self._problems: tuple[str, ...] = ("the CA has not been read yet",)

    def start(self, on_change: Callable[[KeyPair], None]) -> None:
        self._on_change = on_change
        self._unwatch = self._cluster.watch(self._loop.wake)
        self._loop.start()

    def stop(self) -> None:
        self._unwatch()
        self._loop.stop()

    def current(self) -> KeyPair | None:
        return self._serving.pair if self._serving else None

    def status(self) -> Status:
        serving = self._serving
        valid = serving is not None and self._now() < serving.pair.not_after
        ready = valid and self._publisher.settled
        return Status(
            not_after=serving.pair.not_after if serving else None,
            ca_not_after=serving.ca.not_after if serving else None,
            ready=ready,
            published=self._publisher.published,
            changes=self._changes,
            repairs=self._publisher.repairs,
            message="; ".join(self._problems) or ("" if ready else WAITING),
        )

    def step(self) -> float:
        """Make a round, and another while something was written; return the seconds to rest."""
        for _ in range(_ROUNDS):
            if not self._round():
                break
        if not self._publisher.settled:
            return 1.0
        return min(30.0, self._durations.publish_wait.total_seconds() / 5)

    def _round(self) -> bool:
        """Return whether something was written, which only counts once it is read back.

        What goes wrong with one part is no reason to leave out the others: with what memory
        has, leaves are renewed and bundles repaired.
        """
        problems: list[str] = []
        wrote = False
        with forgiving(problems, self._problems):
            wrote = self._keep_state(problems)
        if self._state is not None:
            with forgiving(problems, self._problems):
                self._keep_leaf(self._state, problems)
            with forgiving(problems, self._problems):
                wrote |= self._keep_bundle(self._state)
                problems += self._publisher.problems
        if problems and tuple(problems) != self._problems:
            log.warning("certificates need attention", problems=problems)
        self._problems = tuple(problems)
        return wrote

    def _keep_state(self, problems: list[str]) -> bool:
        """Read the Secret and move its state on where that is due."""
        try:
            found = self._cluster.read_secret()
            held = self._decode(found, problems)
            self._state = held or self._state
            following = self._following(held)
            if following == held:
                return False
            self._cluster.update_secret(secret.store(following, found))
        except ApiError as error:
            if error.status == CONFLICT:
                return True
            problems.append(str(error))
            return False
        _tell(held, following)
        return True

    def _decode(self, found: Json, problems: list[str]) -> State | None:
        try:
            return secret.decode(found.get("data"))
        except SecretError as error:
            name = found["metadata"]["name"]
            problems.append(f"secret '{name}': {error}; it is written anew")
            return None

    def _following(self, held: State | None) -> State:
        """Return what the Secret should hold; lost, it gets back what memory has."""
        state = held or self._state
        if state is None:
            return rotation.initialize(self._now(), self._durations)
        return rotation.advance(state, self._now(), self._has_been_published, self._durations)

    def _has_been_published(self, certificate: Certificate) -> bool:
        return self._views.have_held(certificate, self._clock.monotonic())

    def _keep_leaf(self, state: State, problems: list[str]) -> None:
        """Serve a leaf of the active CA, as soon as nobody can be lost by it."""
        now, ca = self._now(), state.active.certificate
        if now >= ca.not_after:
            # Nothing that it signs would be valid for a moment; the next one is on its way.
            problems.append(f"the CA expired at {ca.not_after.isoformat()}")
            return
        if now < ca.not_before:
            problems.append(f"the CA is not valid before {ca.not_before.isoformat()}")
        if self._serving and not leaf.needs_renewal(self._serving, state, now, self._durations):
            return
        new = leaf.sign(state, self._names, now, self._durations)
        if self._serving and not may_replace(self._serving, new, self._views, self._accepts):
            problems.append("a new CA is not known to every API server yet: the old one is served")
            return
        self._on_change(new.pair)
        self._serving = new
        self._changes += 1
        log.info("serving certificate signed", until=new.pair.not_after.isoformat())

    def _keep_bundle(self, state: State) -> bool:
        """Publish what is trusted, and the CA of what is served where that is another."""
        at, trust = self._clock.monotonic(), state.trust
        if self._serving and self._serving.ca.fingerprint not in state.retired:
            trust = tuple(dict.fromkeys((*trust, self._serving.ca)))
        wrote = self._publisher.publish(trust, retired=state.retired, now=self._now(), at=at)
        serving = self._serving
        if serving is not None:
            settle = self._durations.settle.total_seconds()
            self._publisher.judge(lambda view: self._accepts(serving, view), settle=settle, at=at)
        return wrote

    def _accepts(self, serving: ServingCertificate, view: TrustBundle) -> bool:
        return leaf.is_accepted(serving, view, self._names[0], self._now())

    def _now(self) -> datetime:
        """Return the time as API servers have it: they judge certificates by it."""
        return (self._clock.wall() + self._cluster.clock_offset()).replace(microsecond=0)


def _tell(held: State | None, following: State) -> None:
    if held is None:
        log.warning("CA written", until=following.active.certificate.not_after.isoformat())
    elif held.active != following.active:
        log.info("CA replaced", until=following.active.certificate.not_after.isoformat())
    elif following.next and held.next != following.next:
        log.info("next CA staged", until=following.next.certificate.not_after.isoformat())
    else:
        log.info("old CA retired")
