"""Rolling restarts and killed replicas while pods are created."""

from collections.abc import Iterator

import pytest

from tests.system.controlplane.api import Json
from tests.system.controlplane.cluster import ControlPlane
from tests.system.controlplane.replicas import Replicas
from tests.system.e2e.reliability.creators import Creators
from tests.system.e2e.reliability.numbers import Row
from tests.system.e2e.reliability.running import running

KILLED = 3


@pytest.fixture(scope="module")
def replicas(plane: ControlPlane, pods: list[Json]) -> Iterator[Replicas]:
    with running(plane, pods[0], "restarted") as replicas:
        yield replicas


def test_a_rolling_restart_loses_no_pod(
    replicas: Replicas, creators: Creators, numbers: list[Row]
) -> None:
    with creators:
        creators.more(100)
        replaced = replicas.roll()
        creators.more(100)

    tally = creators.tally
    numbers.append(Row("rolling restart", tally, f"{replaced} replicas replaced"))
    assert tally.is_smooth, str(tally)


def test_a_killed_replica_causes_rejections_until_its_probe_fails_and_no_lost_pod(
    replicas: Replicas, creators: Creators, numbers: list[Row]
) -> None:
    with creators:
        creators.more(100)
        for _ in range(KILLED):
            killed = replicas.running[0]
            killed.process.kill()
            replicas.await_used()
            killed.start()
            replicas.await_used()
            creators.more(100)

    tally = creators.tally
    numbers.append(Row("a replica killed with SIGKILL", tally, f"{KILLED} times"))
    assert (tally.lost, tally.unplaced) == (0, 0), str(tally)
