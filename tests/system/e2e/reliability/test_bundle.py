"""A `caBundle` that another client changes while pods are created."""

import base64
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from certs.ca import pki
from tests.system.controlplane.api import Api, Json, at, unwrap
from tests.system.controlplane.cluster import ControlPlane
from tests.system.controlplane.process import until
from tests.system.controlplane.replicas import Replicas
from tests.system.e2e.reliability.creators import Creators
from tests.system.e2e.reliability.numbers import Row
from tests.system.e2e.reliability.running import running

TIMES = 3
REPAIRS = "convertor_webhook_ca_repairs_total"
KIND = "MutatingWebhookConfiguration"


@pytest.fixture(scope="module")
def replicas(plane: ControlPlane, pods: list[Json]) -> Iterator[Replicas]:
    with running(plane, pods[0], "damaged") as replicas:
        yield replicas


def emptied(client: Json) -> None:
    del client["caBundle"]


def overwritten(client: Json) -> None:
    day = timedelta(days=1)
    other = pki.make_ca(datetime.now(UTC), day, backdate=day)
    client["caBundle"] = base64.b64encode(other.certificate.pem).decode()


@pytest.mark.parametrize("damage", [emptied, overwritten])
def test_a_damaged_bundle_is_repaired_within_seconds_and_no_pod_is_lost(
    damage: Callable[[Json], None],
    replicas: Replicas,
    creators: Creators,
    api: Api,
    numbers: list[Row],
) -> None:
    name = replicas.release.configuration
    ours = trusted(api.get(KIND, name))
    before = sum(replica.metric(REPAIRS) for replica in replicas.running)
    slowest = 0.0
    with creators:
        creators.more(100)
        for _ in range(TIMES):
            slowest = max(slowest, repaired(api, name, damage, ours))
            creators.more(100)

    tally = creators.tally
    note = f"{TIMES} times, repaired within {slowest:.1f} s"
    numbers.append(Row(f"caBundle {damage.__name__}", tally, note))
    repairs = sum(replica.metric(REPAIRS) for replica in replicas.running)
    assert (tally.lost, tally.unplaced) == (0, 0), str(tally)
    assert slowest < 5
    assert repairs - before >= TIMES


def repaired(api: Api, name: str, damage: Callable[[Json], None], ours: set[bytes]) -> float:
    """Damage the bundle; return the seconds until it has these certificates again."""
    body = api.get(KIND, name)
    damage(body["webhooks"][0]["clientConfig"])
    unwrap(api.send("PUT", at(body), body))
    began = time.monotonic()
    until("the bundle to be repaired", lambda: ours <= trusted(api.get(KIND, name)))
    return time.monotonic() - began


def trusted(configuration: Json) -> set[bytes]:
    """Return the certificates of the bundle."""
    client = configuration["webhooks"][0]["clientConfig"]
    return set(
        base64.b64decode(client.get("caBundle", "")).split(b"-----BEGIN CERTIFICATE-----")[1:]
    )
