"""A simulation of replicas, an API server and time, and the law that must always hold.

The law: the certificate of every ready replica is accepted by every caBundle that an API server
may still use, which is each content of the last `lag` seconds. A replica is excused for what
another client destroyed until it has had a round to repair it.
"""

from datetime import timedelta

from certs.bundle.interface import Target
from certs.ca import rotation, secret, verification
from certs.ca.certificate import TrustBundle, parse_pem
from certs.ca.durations import Durations
from certs.serving.clock import Clock
from certs.serving.self_managed import SelfManaged
from tests.support.certs.installation import CrashError, FakeCluster, Installation, Time

NAME = "convertor-webhook.migration.svc"

SHORT_DURATIONS = Durations(
    ca=timedelta(seconds=1800),
    leaf=timedelta(seconds=120),
    publish_wait=timedelta(seconds=60),
    grace=timedelta(seconds=60),
    settle=timedelta(seconds=5),
)


class Replica:
    """A process that can crash and restart, on a node whose clock may be wrong."""

    def __init__(self, simulation: "Simulation", skew: float = 0.0) -> None:
        self.simulation = simulation
        self.cluster = FakeCluster(simulation.installation)
        self.skew = timedelta(seconds=skew)
        self.last_complete_round = 0.0
        """The time of the last round without a problem."""
        self.restart()

    def restart(self) -> None:
        time = self.simulation.time
        self.source = SelfManaged(
            self.cluster,
            [NAME],
            self.simulation.durations,
            Clock(wall=lambda: time.now() + self.skew, monotonic=lambda: time.seconds),
        )

    def step(self) -> None:
        try:
            self.source.step()
        except CrashError:
            self.restart()
        message = self.source.status().message
        assert "unexpected" not in message, message
        if not message:
            self.last_complete_round = self.simulation.time.seconds


class Simulation:
    """The replicas of one installation, and the time that passes for them."""

    def __init__(
        self, replicas: int = 2, durations: Durations = SHORT_DURATIONS, *, lag: float = 5.0
    ) -> None:
        self.time = Time()
        self.installation = Installation(self.time)
        self.durations = durations
        self.lag = lag
        self.replicas = [Replica(self) for _ in range(replicas)]
        self.last_damage = float("-inf")

    def age(self, seconds: float) -> None:
        """Store a CA that was made so long ago."""
        made = self.time.now() - timedelta(seconds=seconds)
        self.installation.put_secret(secret.encode(rotation.initialize(made, self.durations)))

    def run(self, seconds: float, every: float = 10.0) -> None:
        """Let time pass, with rounds of all replicas at an interval, and check the law."""
        until = self.time.seconds + seconds
        while self.time.seconds < until:
            self.time.seconds += min(every, until - self.time.seconds)
            for replica in self.replicas:
                replica.step()
            self.check()

    def damage(self, target: Target, index: int, pem: bytes) -> None:
        """Write a caBundle as another client would, which replicas must repair in a round."""
        self.installation.damage(target, index, pem)
        self.last_damage = self.time.seconds

    def force_rotation(self, ahead: timedelta = timedelta()) -> None:
        """Do what `certs rotate` does, on a machine whose clock is ahead."""
        found = self.installation.secret
        state = secret.decode((found or {}).get("data"))
        if found is not None and state is not None:
            forced = rotation.force(state, self.time.now() + ahead, self.durations)
            self.installation.update("secrets", secret.store(forced, found))

    def check(self) -> None:
        for replica in self.replicas:
            if replica.source.status().ready:
                self._check(replica)

    def _check(self, replica: Replica) -> None:
        pair = replica.source.current()
        assert pair is not None
        for bundle in self._bundles(replica):
            error = verification.verify(parse_pem(pair.chain), bundle, NAME, self.time.now())
            assert error is None, f"after {self.time.seconds} s: {error}"

    def _bundles(self, replica: Replica) -> set[TrustBundle]:
        """Return the contents that an API server may use and that the replica must satisfy."""
        return {
            content.bundle
            for contents in self.installation.history.values()
            for content in contents
            if content.until is None or content.until > self.time.seconds - self.lag
            if not content.damaged
            if not replica.last_complete_round <= self.last_damage <= content.since
        }
