"""Replicas in single situations; `test_self_managed_law` generates sequences of them."""

import base64
import dataclasses
import threading
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from certs.ca.certificate import KeyPair, parse_pem
from certs.ca.durations import Durations
from certs.serving.self_managed import SelfManaged
from certs.serving.source import WAITING_MESSAGE
from tests.support.certs.der import encode_pem_block, flip_bit
from tests.support.certs.installation import TARGETS, FakeCluster, Installation
from tests.support.certs.simulation import NAME, SHORT_DURATIONS, Simulation
from webhook.kube.api.errors import ApiError

DAY = 86400.0


def test_replicas_that_start_at_once_agree_on_one_ca() -> None:
    """The second runs its whole round between the first one's read and write."""
    simulation = Simulation(2)
    first, second = simulation.replicas
    served: list[bytes] = []
    first.source._on_change = lambda pair: served.append(pair.chain)

    def let_second_go_first() -> None:
        first.cluster.before = lambda: None
        first.cluster.after = second.step

    first.cluster.before = let_second_go_first
    first.source._run_round()
    first.cluster.after = lambda: None
    assert served == [], "a CA was used that was not read back"

    simulation.run(30)
    active = simulation.installation.state.active.certificate
    assert simulation.installation.bundles() == [(active,)] * 3
    for replica in simulation.replicas:
        assert replica.source._serving is not None
        assert replica.source._serving.ca == active


def test_a_replica_is_ready_when_its_ca_has_been_in_every_bundle_for_a_moment() -> None:
    simulation = Simulation(1)
    (replica,) = simulation.replicas
    replica.step()
    status = replica.source.status()
    assert (status.ready, status.published, status.changes) == (False, True, 1)
    simulation.run(SHORT_DURATIONS.settle.total_seconds() + 1, 1)
    assert replica.source.status().ready


def test_a_leaf_is_renewed_after_two_thirds_of_its_lifetime() -> None:
    simulation = Simulation(1)
    (replica,) = simulation.replicas
    simulation.run(SHORT_DURATIONS.leaf.total_seconds() * 2 / 3 - 10)
    assert replica.source.status().changes == 1
    simulation.run(20)
    assert replica.source.status().changes == 2


@pytest.mark.parametrize("content", [b"", b"the text of another client"], ids=["empty", "text"])
def test_a_damaged_bundle_is_repaired_in_the_next_round_and_replicas_stay_ready(
    content: bytes,
) -> None:
    simulation = Simulation(2)
    simulation.run(30)
    for target in TARGETS:
        simulation.damage(target, 0, content)
    simulation.run(1)
    assert (
        simulation.installation.bundles()
        == [(simulation.installation.state.active.certificate,)] * 3
    )
    statuses = [replica.source.status() for replica in simulation.replicas]
    assert all(status.ready for status in statuses)
    assert [status.repairs for status in statuses] == [2, 0]


def test_a_deleted_secret_leaves_replicas_ready_and_is_filled_again_from_memory() -> None:
    simulation = Simulation(2)
    simulation.run(30)
    state = simulation.installation.state
    simulation.installation.delete_secret()
    simulation.run(SHORT_DURATIONS.leaf.total_seconds())
    for replica in simulation.replicas:
        status = replica.source.status()
        assert (status.ready, status.message) == (True, 'secrets "ca" not found')
    simulation.installation.put_secret({})
    simulation.run(1)
    assert simulation.installation.state == state
    assert simulation.replicas[0].source.status().message == ""


def test_a_secret_that_cannot_be_decoded_is_written_again_from_memory() -> None:
    simulation = Simulation(1)
    simulation.run(30)
    state = simulation.installation.state
    simulation.installation.put_secret({"ca.crt": "eA==", "ca.key": "eA==", "theirs": "eA=="})
    simulation.run(1)
    assert simulation.installation.state == state
    secret = simulation.installation.secret
    assert secret is not None
    assert secret["data"]["theirs"] == "eA=="


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
@pytest.mark.parametrize("at", [12, 30, 200, 300, -1], ids=str)
def test_a_ca_with_a_damaged_byte_is_written_again_from_memory(at: int) -> None:
    """The caBundle that is damaged at the same time is repaired."""
    simulation = Simulation(2)
    simulation.run(30)
    state = simulation.installation.state
    secret = simulation.installation.secret
    assert secret is not None
    pem = encode_pem_block(flip_bit(state.active.certificate, at))
    data = {**secret["data"], "ca.crt": base64.b64encode(pem).decode()}
    simulation.installation.put_secret(data)
    simulation.damage(TARGETS[0], 0, b"")
    simulation.run(1)
    assert simulation.installation.state == state
    assert simulation.installation.bundles() == [(state.active.certificate,)] * 3
    assert [replica.source.status().message for replica in simulation.replicas] == ["", ""]


def test_an_unexpected_error_in_one_part_does_not_stop_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The leaf is renewed and the caBundle repaired, with the state in memory."""
    simulation = Simulation(1)
    simulation.run(30)
    source = simulation.replicas[0].source

    def fail(*_: object) -> None:
        raise KeyError("metadata")

    monkeypatch.setattr(source, "_decode", fail)
    simulation.installation.damage(TARGETS[0], 0, b"")
    simulation.time.seconds += SHORT_DURATIONS.leaf.total_seconds()
    with capture_logs() as logs:
        source.step()
        source.step()
    assert [log["event"] for log in logs if log["log_level"] == "error"] == [
        "certificate maintenance failed"
    ]
    status = source.status()
    assert (status.ready, status.published, status.changes) == (True, True, 2)
    assert status.message == "unexpected KeyError: 'metadata'"
    assert (
        simulation.installation.bundles()
        == [(simulation.installation.state.active.certificate,)] * 3
    )


def test_bundles_that_could_not_be_read_are_not_published(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    simulation = Simulation(1)
    simulation.run(30)
    source = simulation.replicas[0].source
    assert source.status().published

    def fail(*_: object) -> None:
        raise TypeError("no object")

    monkeypatch.setattr(simulation.replicas[0].cluster, "read_configuration", fail)
    source.step()
    status = source.status()
    assert (status.ready, status.published) == (True, False)
    assert status.message == "unexpected TypeError: no object"


def test_a_ca_that_expired_long_ago_is_replaced_at_the_start() -> None:
    simulation = Simulation(1, Durations())
    simulation.age(400 * DAY)
    (replica,) = simulation.replicas
    replica.step()
    status = replica.source.status()
    assert (status.published, status.changes) == (True, 1)
    assert status.message == WAITING_MESSAGE


def test_an_expired_ca_that_cannot_be_replaced_is_reported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    simulation = Simulation(1, Durations())
    simulation.age(400 * DAY)
    (replica,) = simulation.replicas

    def forbidden(_secret: object) -> None:
        raise ApiError("may not update secrets", 403)

    monkeypatch.setattr(replica.cluster, "update_secret", forbidden)
    replica.step()
    expiry = simulation.installation.state.active.certificate.not_after.isoformat()
    assert replica.source.status().message == f"may not update secrets; the CA expired at {expiry}"


def test_a_leaf_that_was_signed_while_the_clock_ran_ahead_is_replaced() -> None:
    simulation = Simulation(2, Durations())
    simulation.age(30 * DAY)
    simulation.run(60)
    version = simulation.installation.version
    for replica in simulation.replicas:
        replica.skew = timedelta(days=2)
        replica.restart()
        replica.step()
        assert replica.source.status().changes == 1
        replica.skew = timedelta()
    simulation.run(10)
    assert [replica.source.status().changes for replica in simulation.replicas] == [2, 2]
    assert simulation.installation.version == version
    simulation.run(DAY, 3600)
    assert [replica.source.status().changes for replica in simulation.replicas] == [2, 2]


def test_a_ca_forced_while_the_clock_ran_ahead_waits_until_it_is_valid() -> None:
    simulation = Simulation(2, Durations())
    simulation.age(30 * DAY)
    simulation.run(1200, 120)
    old = simulation.installation.state.active
    simulation.force_rotation(ahead=timedelta(hours=3))
    simulation.run(2 * 3600, 120)
    assert simulation.installation.state.active == old
    simulation.run(2 * 3600, 120)
    assert simulation.installation.state.active != old
    assert (
        simulation.installation.bundles()
        == [(simulation.installation.state.active.certificate,)] * 3
    )


def test_a_forced_rotation_replaces_a_ca_that_is_not_yet_valid() -> None:
    simulation = Simulation(2, Durations())
    simulation.age(-30 * DAY)
    early = simulation.installation.state.active.certificate.not_before.isoformat()
    for replica in simulation.replicas:
        replica.step()
        status = replica.source.status()
        assert not status.published
        assert status.message == f"the CA is not valid before {early}"
    simulation.force_rotation()
    until = simulation.time.seconds + 3 * Durations().publish_wait.total_seconds()
    while simulation.time.seconds < until:
        simulation.time.seconds += 30
        for replica in simulation.replicas:
            replica.step()
    simulation.check()
    assert all(replica.source.status().ready for replica in simulation.replicas)
    assert (
        simulation.installation.bundles()
        == [(simulation.installation.state.active.certificate,)] * 3
    )


def test_a_lost_ca_is_served_until_api_servers_know_the_new_one() -> None:
    """The Secret and all replicas but one lose it."""
    simulation = Simulation(2)
    simulation.run(30)
    survivor, other = simulation.replicas
    before = survivor.source.current()
    simulation.installation.put_secret({})
    other.restart()
    other.step()
    survivor.step()
    assert survivor.source.current() == before
    assert survivor.source.status().message == (
        "a new CA is not known to every API server yet: the old one is served"
    )
    simulation.run(SHORT_DURATIONS.publish_wait.total_seconds() + 20)
    assert survivor.source.current() != before
    assert survivor.source.status().message == ""


def test_a_forced_rotation_removes_the_old_ca_from_every_bundle() -> None:
    simulation = Simulation(3, lag=SHORT_DURATIONS.publish_wait.total_seconds() / 2)
    simulation.age(100)
    simulation.lag = 5
    simulation.run(60)
    simulation.lag = 30
    old = simulation.installation.state.active.certificate
    simulation.force_rotation()
    simulation.run(2 * SHORT_DURATIONS.publish_wait.total_seconds() + 30)
    new = simulation.installation.state.active.certificate
    assert new != old
    assert simulation.installation.bundles() == [(new,)] * 3


def test_rotations_for_ten_minutes_obey_the_law() -> None:
    """A new CA every minute, two replicas, API servers that lag by half the publish wait."""
    durations = Durations(
        ca=timedelta(seconds=90),
        leaf=timedelta(seconds=30),
        publish_wait=timedelta(seconds=8),
        grace=timedelta(seconds=10),
        settle=timedelta(seconds=3),
    )
    simulation = Simulation(2, durations, lag=3)
    simulation.run(20, 2)
    simulation.lag = 4
    simulation.run(600, 2)
    state = simulation.installation.state
    assert len(state.retired) >= 7
    assert len(simulation.installation.bundles()[0]) <= 3


@pytest.mark.parametrize("hours", [-5, -0.5, 0.5, 5])
def test_a_wrong_clock_is_corrected_by_the_api_servers(hours: float) -> None:
    simulation = Simulation(2)
    wrong = simulation.replicas[0]
    wrong.skew = timedelta(hours=hours)
    wrong.cluster.offset = -wrong.skew
    simulation.run(300)
    assert len(simulation.installation.state.trust) == 1
    assert all(replica.source.status().ready for replica in simulation.replicas)


def test_a_clock_that_runs_behind_does_not_write_forever() -> None:
    """By that clock no certificate in the Secret is valid yet."""
    simulation = Simulation(1)
    simulation.run(30)
    version, (replica,) = simulation.installation.version, simulation.replicas
    replica.skew = -timedelta(days=3)
    for _ in range(20):
        simulation.time.seconds += 10
        replica.step()
    replica.restart()
    replica.step()
    assert simulation.installation.version == version


def test_a_replica_that_is_disconnected_for_days_serves_what_all_api_servers_accept() -> None:
    durations = Durations()
    simulation = Simulation(2, durations)
    simulation.age(durations.ca.total_seconds() * 2 / 3 - DAY)
    disconnected = simulation.replicas[1]
    simulation.run(3600, 600)

    def unreachable() -> None:
        raise ApiError("the API server does not answer")

    disconnected.cluster.before = unreachable
    # Its leaf is a few days old when the CA is replaced, which it learns a day later.
    simulation.run(4 * DAY, 3600 * 4)
    assert (
        simulation.installation.state.active.certificate.not_after
        > disconnected.source._now() + timedelta(days=360)
    )
    disconnected.cluster.before = lambda: None
    simulation.run(20 * DAY, 3600 * 4)
    assert simulation.installation.state.trust == (
        simulation.installation.state.active.certificate,
    )


def test_an_error_of_the_api_is_in_the_status() -> None:
    simulation = Simulation(1)
    (replica,) = simulation.replicas

    def forbidden() -> None:
        raise ApiError("may not get secrets", 403)

    replica.cluster.before = forbidden
    with capture_logs() as logs:
        replica.step()
        replica.step()
    (line,) = logs
    assert (line["log_level"], line["problems"]) == ("warning", ["may not get secrets"])
    status = replica.source.status()
    assert (status.ready, status.message) == (False, "may not get secrets")
    assert replica.source.current() is None


def test_a_started_source_serves_its_first_key_pair_and_stops() -> None:
    installation = Installation()
    durations = dataclasses.replace(SHORT_DURATIONS, backdate=timedelta(hours=1))
    source = SelfManaged(FakeCluster(installation), [NAME], durations)
    pairs: list[KeyPair] = []
    served = threading.Event()

    def on_change(pair: KeyPair) -> None:
        pairs.append(pair)
        served.set()

    source.start(on_change)
    assert served.wait(10)
    source.stop()
    assert pairs == [source.current()]
    assert len(parse_pem(pairs[0].chain)) == 1
