"""Processes and a balancer in place of the chart's Deployment and Service.

Two replicas behind the Service's address, and a third one during a rolling update.
"""

from collections.abc import Sequence
from pathlib import Path

from tests.system.controlplane.balancer import Balancer, Endpoint
from tests.system.controlplane.installed import Installed
from tests.system.controlplane.process import free_port, until
from tests.system.controlplane.replica import PROGRAM, Replica


class Replicas:
    """The pods of a release and its Service."""

    def __init__(self, release: Installed, program: Sequence[str | Path] = PROGRAM) -> None:
        self.release = release
        deployment = release.one("Deployment")["spec"]
        self._count: int = deployment["replicas"]
        surge: int = deployment["strategy"]["rollingUpdate"]["maxSurge"]
        places = [
            Endpoint(f"replica-{number}", free_port(), free_port())
            for number in range(self._count + surge)
        ]
        self._all = [Replica(release, place, program) for place in places]
        readiness = release.container["readinessProbe"]
        self._balancer = Balancer(release.address, places, readiness, release.folder)
        release.plane.processes.append(self._balancer.process)

    @property
    def running(self) -> list[Replica]:
        return [replica for replica in self._all if replica.process.running]

    def start(self) -> None:
        """Start the replicas and the Service, and return when the Service uses all of them."""
        for replica in self._all[: self._count]:
            replica.start()
        for replica in self.running:
            replica.await_ready()
        self._balancer.start()
        self.await_used()

    def stop(self) -> None:
        self._balancer.process.stop()
        for replica in self._all:
            replica.close()

    def roll(self) -> int:
        """Replace all replicas as the Deployment does, one by one; return their number."""
        leaving = self.running
        for old in leaving:
            new = next(replica for replica in self._all if not replica.process.running)
            new.start()
            new.await_ready()
            self.await_used()
            assert old.stop() == 0
        self.await_used()
        return len(leaving)

    def await_used(self) -> None:
        """Return when the Service sends connections to the running replicas only."""
        names = {replica.name for replica in self.running}
        until(
            f"the Service to use {sorted(names)}",
            lambda: self._balancer.ready() == names,
        )
