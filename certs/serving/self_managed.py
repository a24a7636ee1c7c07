"""A self-managed certificate: one CA in a Secret, and a leaf in the memory of each replica.

There is no leader. Every replica runs the same round: read the Secret, advance the rotation, sign
a leaf, publish the CA. Three rules keep replicas from disturbing each other: only what was read
back is used; an object is written only in the version that was read; a leaf is replaced only by
one that every API server accepts which accepts the old one.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from http import HTTPStatus

import structlog

from certs.bundle.bundle_history import BundleHistory
from certs.bundle.interface import Cluster
from certs.bundle.publisher import Publisher
from certs.ca import leaf, rotation, secret
from certs.ca.certificate import Certificate, KeyPair, TrustBundle
from certs.ca.durations import Durations
from certs.ca.leaf import ServingCertificate
from certs.ca.secret import SecretError, State
from certs.serving.clock import SYSTEM_CLOCK, Clock
from certs.serving.loop import Loop, collect_errors
from certs.serving.source import WAITING_MESSAGE, Status
from webhook.kube.api.errors import ApiError
from webhook.kube.objects import Json

log = structlog.get_logger()

_MAX_ROUNDS = 5
"""Rounds in one step, while each of them writes something to be read back."""

_MAX_PAUSE_SECONDS = 30.0
_UNSETTLED_PAUSE_SECONDS = 1.0


class SelfManaged:
    """A `Source` (`certs.serving.source`) whose CA is in a Secret of the cluster.

    The certificate is valid for `names`. The first is the name by which API servers call the
    webhook, `<service>.<namespace>.svc`.
    """

    def __init__(
        self,
        cluster: Cluster,
        names: Sequence[str],
        durations: Durations = Durations(),  # noqa: B008 - it is immutable
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._cluster = cluster
        self._names = tuple(names)
        self._durations = durations
        self._clock = clock
        self._history = BundleHistory(durations.publish_wait.total_seconds())
        self._publisher = Publisher(cluster, self._history)
        self._loop = Loop(self.step, "certificates")
        self._on_change: Callable[[KeyPair], None] = lambda _pair: None
        self._stop_watch: Callable[[], None] = lambda: None
        self._state: State | None = None
        self._serving: ServingCertificate | None = None
        self._changes = 0
        self._problems: tuple[str, ...] = ("the CA has not been read yet",)

    def start(self, on_change: Callable[[KeyPair], None]) -> None:
        self._on_change = on_change
        self._stop_watch = self._cluster.watch(self._loop.wake)
        self._loop.start()

    def stop(self) -> None:
        self._stop_watch()
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
            message="; ".join(self._problems) or ("" if ready else WAITING_MESSAGE),
        )

    def step(self) -> float:
        """Run a round, and another while something was written; return the seconds to wait."""
        for _ in range(_MAX_ROUNDS):
            if not self._run_round():
                break
        if not self._publisher.settled:
            return _UNSETTLED_PAUSE_SECONDS
        return min(_MAX_PAUSE_SECONDS, self._durations.publish_wait.total_seconds() / 5)

    def _run_round(self) -> bool:
        """Return whether something was written, which is used only when it is read back.

        An error in one part does not stop the others: with the state in memory, leaves are
        renewed and caBundles repaired.
        """
        problems: list[str] = []
        wrote = False
        with collect_errors(problems, self._problems):
            wrote = self._reconcile_secret(problems)
        if self._state is not None:
            with collect_errors(problems, self._problems):
                self._reconcile_leaf(self._state, problems)
            with collect_errors(problems, self._problems):
                wrote |= self._reconcile_bundles(self._state)
                problems += self._publisher.problems
        if problems and tuple(problems) != self._problems:
            log.warning("certificates have problems", problems=problems)
        self._problems = tuple(problems)
        return wrote

    def _reconcile_secret(self, problems: list[str]) -> bool:
        """Read the state from the Secret, and write the next one if a step is due."""
        try:
            found = self._cluster.read_secret()
            state = self._decode(found, problems)
            self._state = state or self._state
            next_state = self._advance(state)
            if next_state == state:
                return False
            self._cluster.update_secret(secret.store(next_state, found))
        except ApiError as error:
            if error.status == HTTPStatus.CONFLICT:
                return True
            problems.append(str(error))
            return False
        _log_transition(state, next_state)
        return True

    def _decode(self, found: Json, problems: list[str]) -> State | None:
        try:
            return secret.decode(found.get("data"))
        except SecretError as error:
            name = found["metadata"]["name"]
            problems.append(f"secret '{name}': {error}; it is written again")
            return None

    def _advance(self, stored: State | None) -> State:
        """Return the state to store: the next one, or that in memory if the Secret lost it."""
        state = stored or self._state
        if state is None:
            return rotation.initialize(self._now(), self._durations)
        return rotation.advance(state, self._now(), self._is_published, self._durations)

    def _is_published(self, certificate: Certificate) -> bool:
        return self._history.always_held(certificate, self._clock.monotonic())

    def _reconcile_leaf(self, state: State, problems: list[str]) -> None:
        """Serve a leaf of the active CA, as soon as no API server would refuse it."""
        now, ca = self._now(), state.active.certificate
        if now >= ca.not_after:
            # Whatever it signs is expired already; the next round has another CA.
            problems.append(f"the CA expired at {ca.not_after.isoformat()}")
            return
        if now < ca.not_before:
            problems.append(f"the CA is not valid before {ca.not_before.isoformat()}")
        if self._serving and not leaf.needs_renewal(self._serving, state, now, self._durations):
            return
        new = leaf.sign(state, self._names, now, self._durations)
        if self._serving and not self._history.allows_replacement(
            self._serving, new, self._accepts
        ):
            problems.append("a new CA is not known to every API server yet: the old one is served")
            return
        self._on_change(new.pair)
        self._serving = new
        self._changes += 1
        log.info("serving certificate signed", until=new.pair.not_after.isoformat())

    def _reconcile_bundles(self, state: State) -> bool:
        """Publish the CAs to trust, and the CA of the serving certificate if it is another."""
        at, trust = self._clock.monotonic(), state.trust
        serving = self._serving
        if serving and serving.ca.fingerprint not in state.retired:
            trust = tuple(dict.fromkeys((*trust, serving.ca)))
        wrote = self._publisher.publish(trust, retired=state.retired, now=self._now(), at=at)
        if serving:
            settle = self._durations.settle.total_seconds()
            self._publisher.check(
                lambda bundle: self._accepts(serving, bundle), settle=settle, at=at
            )
        return wrote

    def _accepts(self, serving: ServingCertificate, bundle: TrustBundle) -> bool:
        return leaf.is_accepted(serving, bundle, self._names[0], self._now())

    def _now(self) -> datetime:
        """Return the time by the API server's clock, by which API servers check certificates."""
        return (self._clock.wall() + self._cluster.clock_offset()).replace(microsecond=0)


def _log_transition(before: State | None, after: State) -> None:
    if before is None:
        log.warning("CA written", until=after.active.certificate.not_after.isoformat())
    elif before.active != after.active:
        log.info("CA replaced", until=after.active.certificate.not_after.isoformat())
    elif after.next and before.next != after.next:
        log.info("next CA staged", until=after.next.certificate.not_after.isoformat())
    else:
        log.info("old CA retired")
