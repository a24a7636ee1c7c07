"""Pods are created while another client opens thousands of connections to the only replica."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.controlplane.api import Json
from tests.system.controlplane.cluster import ControlPlane
from tests.system.controlplane.replica import Replica
from tests.system.e2e.reliability.creators import Creators
from tests.system.e2e.reliability.flood import flooded
from tests.system.e2e.reliability.numbers import Row
from tests.system.e2e.reliability.running import running

ADDRESS = "127.0.0.3"
CONNECTIONS = 10_000
MAX_MB = 256
"""The chart's memory limit is 512 Mi."""


@pytest.fixture(scope="module")
def replica(plane: ControlPlane, pods: list[Json]) -> Iterator[Replica]:
    with running(plane, pods[0], "flooded", replicaCount=1) as replicas:
        yield replicas.running[0]


def resident_mb(replica: Replica) -> int:
    status = Path(f"/proc/{replica.process.pid}/status").read_text(encoding="ascii")
    (line,) = (line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) // 1024


def test_pods_are_placed_while_another_client_opens_ten_thousand_connections(
    replica: Replica, creators: Creators, numbers: list[Row]
) -> None:
    sizes = {}
    with creators:
        creators.more(100)
        sizes["before"] = resident_mb(replica)
        with flooded(replica.port, ADDRESS, CONNECTIONS) as is_complete:
            while not is_complete():
                creators.more(20)
                sizes["during"] = max(sizes.get("during", 0), resident_mb(replica))
            creators.more(100)
        creators.more(100)
        sizes["after"] = resident_mb(replica)

    tally = creators.tally
    memory = ", ".join(f"{size} MB {when}" for when, size in sizes.items())
    numbers.append(Row("10,000 connections of others", tally, memory))
    assert (tally.lost, tally.unplaced, tally.rejected) == (0, 0, 0), str(tally)
    assert max(sizes.values()) < MAX_MB, memory
    limited = replica.metric("convertor_webhook_connections_limited_total", listener="reviews")
    assert limited > CONNECTIONS / 2
    assert replica.metric("convertor_webhook_connections", listener="reviews") < 100
