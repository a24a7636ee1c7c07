"""Replicas, an API server and time, all of it played, and the law that must hold.

The law: whatever a replica serves that calls itself ready is accepted by every view of a
bundle that an API server may still have, which is each content of the last `lag` seconds.
A replica answers for what others destroy only once it has had a round to mend it.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from certs import pki, rotation, secret
from certs.certificate import parse
from certs.rotation import Durations
from certs.selfmanaged import SelfManaged
from tests.certs.fake import ApiServer, Client, Clock, CrashError

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
        clock = self.world.clock
        self.source = SelfManaged(
            self.client,
            [NAME],
            self.world.durations,
            wall=lambda: clock.now() + self.skew,
            monotonic=lambda: clock.seconds,
        )

    def step(self) -> None:
        try:
            self.source.step()
        except CrashError:
            self.restart()
        if not self.source.status().message:
            self.whole_round = self.world.clock.seconds


class World:
    """So many replicas of one installation, and the time that passes for them."""

    def __init__(
        self, replicas: int = 2, durations: Durations = QUICK, *, lag: float = 5.0
    ) -> None:
        self.clock = Clock()
        self.api = ApiServer(self.clock)
        self.durations = durations
        self.lag = lag
        self.replicas = [Replica(self) for _ in range(replicas)]
        self.damaged_at = float("-inf")

    def age(self, seconds: float) -> None:
        """Have been installed so long ago."""
        made = self.clock.now() - timedelta(seconds=seconds)
        self.api.put_secret(secret.encode(rotation.fresh(made, self.durations)))

    def run(self, seconds: float, every: float = 10.0) -> None:
        """Let time pass, with a round of every replica each so often, and ask the law."""
        until = self.clock.seconds + seconds
        while self.clock.seconds < until:
            self.clock.seconds += min(every, until - self.clock.seconds)
            for replica in self.replicas:
                replica.step()
            self.check()

    def state(self) -> secret.State:
        assert self.api.secret is not None
        state = secret.decode(self.api.secret.get("data"))
        assert state is not None
        return state

    def force(self) -> None:
        """Do what `certs rotate` does."""
        found = dict(self.api.secret or {})
        state = secret.decode(found.get("data"))
        if state is not None:
            forced = rotation.force(state, self.clock.now(), self.durations)
            self.api.replace_secret({**found, "data": secret.encode(forced)})

    def check(self) -> None:
        for replica in self.replicas:
            if replica.source.status().ready:
                self._check(replica)

    def _check(self, replica: Replica) -> None:
        pair = replica.source.current()
        assert pair is not None
        now = self.clock.seconds
        for (target, index), contents in self.api.history.items():
            for content in contents:
                over = content.until is not None and content.until <= now - self.lag
                unmended = replica.whole_round <= self.damaged_at <= content.since
                if over or content.damaged or unmended:
                    continue
                fault = pki.verify(parse(pair.chain), content.view, NAME, self.clock.now())
                assert fault is None, f"{target} webhook {index} at {now}: {fault}"
