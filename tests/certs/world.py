"""Replicas, an API server and time, all of it played, and the law that must hold.

The law: whatever a replica serves that calls itself ready is accepted by every view of a
bundle that an API server may still have, which is each content of the last `lag` seconds.
A replica answers for what others destroy only once it has had a round to mend it.
"""

from datetime import timedelta

from certs.ca import pki, rotation, secret
from certs.ca.certificate import TrustBundle, parse_pem
from certs.ca.durations import Durations
from certs.serving.clock import Clock
from certs.serving.self_managed import SelfManaged
from tests.certs.fake import ApiServer, Client, CrashError, Time

NAME = "convertor-webhook.migration.svc"

QUICK = Durations(
    ca=timedelta(seconds=1800),
    leaf=timedelta(seconds=120),
    publish_wait=timedelta(seconds=60),
    grace=timedelta(seconds=60),
    settle=timedelta(seconds=5),
)


class Replica:
    """A process that can crash and start again, on a node whose clock may be wrong."""

    def __init__(self, world: "World", skew: float = 0.0) -> None:
        self.world = world
        self.client = Client(world.api)
        self.skew = timedelta(seconds=skew)
        self.whole_round = 0.0
        """When it last did all that it wanted to."""
        self.restart()

    def restart(self) -> None:
        time = self.world.time
        self.source = SelfManaged(
            self.client,
            [NAME],
            self.world.durations,
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
            self.whole_round = self.world.time.seconds


class World:
    """So many replicas of one installation, and the time that passes for them."""

    def __init__(
        self, replicas: int = 2, durations: Durations = QUICK, *, lag: float = 5.0
    ) -> None:
        self.time = Time()
        self.api = ApiServer(self.time)
        self.durations = durations
        self.lag = lag
        self.replicas = [Replica(self) for _ in range(replicas)]
        self.damaged_at = float("-inf")

    def age(self, seconds: float) -> None:
        """Have been installed so long ago."""
        made = self.time.now() - timedelta(seconds=seconds)
        self.api.put_secret(secret.encode(rotation.initialize(made, self.durations)))

    def run(self, seconds: float, every: float = 10.0) -> None:
        """Let time pass, with a round of every replica each so often, and ask the law."""
        until = self.time.seconds + seconds
        while self.time.seconds < until:
            self.time.seconds += min(every, until - self.time.seconds)
            for replica in self.replicas:
                replica.step()
            self.check()

    def state(self) -> secret.State:
        assert self.api.secret is not None
        state = secret.decode(self.api.secret.get("data"))
        assert state is not None
        return state

    def force(self, ahead: timedelta = timedelta()) -> None:
        """Do what `certs rotate` does, on a machine whose clock is ahead."""
        found = dict(self.api.secret or {})
        state = secret.decode(found.get("data"))
        if state is not None:
            forced = rotation.force(state, self.time.now() + ahead, self.durations)
            self.api.replace_secret({**found, "data": secret.encode(forced)})

    def check(self) -> None:
        for replica in self.replicas:
            if replica.source.status().ready:
                self._check(replica)

    def _check(self, replica: Replica) -> None:
        pair = replica.source.current()
        assert pair is not None
        for view in self._views(replica):
            fault = pki.verify(parse_pem(pair.chain), view, NAME, self.time.now())
            assert fault is None, f"after {self.time.seconds} s: {fault}"

    def _views(self, replica: Replica) -> set[TrustBundle]:
        """Every view that may be held, and that this replica answers for."""
        return {
            content.view
            for contents in self.api.history.values()
            for content in contents
            if content.until is None or content.until > self.time.seconds - self.lag
            if not content.damaged
            if not replica.whole_round <= self.damaged_at <= content.since
        }
