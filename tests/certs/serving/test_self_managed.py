"""Replicas in single situations; `test_selfmanaged_law` asks for all of them at once."""

import base64
import dataclasses
import threading
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from certs.bundle.interface import ApiError
from certs.ca.certificate import KeyPair, parse_pem
from certs.ca.durations import Durations
from certs.serving.self_managed import SelfManaged
from certs.serving.source import WAITING
from tests.certs.fake import TARGETS, ApiServer, Client, Time
from tests.certs.world import NAME, QUICK, World
from tests.support.certs.der import encode_pem_block, flip_bit

DAY = 86400.0


def test_replicas_that_start_at_once_end_with_one_ca() -> None:
    """The second does all of its round between the first one's read and write."""
    world = World(2)
    first, second = world.replicas
    served: list[bytes] = []
    first.source._on_change = lambda pair: served.append(pair.chain)

    def others_first() -> None:
        first.client.before = lambda: None
        first.client.after = second.step

    first.client.before = others_first
    first.source._round()
    first.client.after = lambda: None
    assert served == [], "the CA that was not read back is used"

    world.run(30)
    active = world.state().active.certificate
    assert world.api.bundles() == [(active,)] * 3
    for replica in world.replicas:
        assert replica.source._serving is not None
        assert replica.source._serving.ca == active


def test_a_replica_is_ready_a_moment_after_its_ca_is_in_every_bundle() -> None:
    world = World(1)
    (replica,) = world.replicas
    replica.step()
    status = replica.source.status()
    assert (status.ready, status.published, status.changes) == (False, True, 1)
    world.run(QUICK.settle.total_seconds() + 1, 1)
    assert replica.source.status().ready


def test_a_leaf_is_renewed_when_two_thirds_are_over() -> None:
    world = World(1)
    (replica,) = world.replicas
    world.run(QUICK.leaf.total_seconds() * 2 / 3 - 10)
    assert replica.source.status().changes == 1
    world.run(20)
    assert replica.source.status().changes == 2


@pytest.mark.parametrize("what", ["", "a bundle of somebody else"])
def test_a_damaged_bundle_is_repaired_in_the_next_round_and_nobody_becomes_unready(
    what: str,
) -> None:
    world = World(2)
    world.run(30)
    for target in TARGETS:
        world.api.damage(target, 0, what.encode())
    world.damaged_at = world.time.seconds
    world.run(1)
    assert world.api.bundles() == [(world.state().active.certificate,)] * 3
    statuses = [replica.source.status() for replica in world.replicas]
    assert all(status.ready for status in statuses)
    assert [status.repairs for status in statuses] == [2, 0]


def test_a_secret_that_is_gone_stops_nobody_and_gets_back_what_memory_holds() -> None:
    world = World(2)
    world.run(30)
    state = world.state()
    world.api.secret = None
    world.run(QUICK.leaf.total_seconds())
    for replica in world.replicas:
        status = replica.source.status()
        assert (status.ready, status.message) == (True, "secrets 'ca' not found")
    world.api.put_secret({})
    world.run(1)
    assert world.state() == state
    assert world.replicas[0].source.status().message == ""


def test_a_secret_that_cannot_be_read_is_written_anew() -> None:
    world = World(1)
    world.run(30)
    state = world.state()
    world.api.put_secret({"ca.crt": "eA==", "ca.key": "eA==", "theirs": "eA=="})
    world.run(1)
    assert world.state() == state
    assert world.api.secret is not None
    assert world.api.secret["data"]["theirs"] == "eA=="


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
@pytest.mark.parametrize("at", [12, 30, 200, 300, -1], ids=str)
def test_a_ca_with_a_damaged_byte_is_written_back_from_memory(at: int) -> None:
    """And the bundle that is damaged together with it is repaired."""
    world = World(2)
    world.run(30)
    state = world.state()
    assert world.api.secret is not None
    pem = encode_pem_block(flip_bit(state.active.certificate, at))
    data = {**world.api.secret["data"], "ca.crt": base64.b64encode(pem).decode()}
    world.api.put_secret(data)
    world.api.damage(TARGETS[0], 0, b"")
    world.damaged_at = world.time.seconds
    world.run(1)
    assert world.state() == state
    assert world.api.bundles() == [(state.active.certificate,)] * 3
    assert [replica.source.status().message for replica in world.replicas] == ["", ""]


def test_what_nobody_foresaw_is_told_and_stops_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Leaves are renewed and bundles repaired with what memory has."""
    world = World(1)
    world.run(30)
    source = world.replicas[0].source

    def fail(*_: object) -> None:
        raise KeyError("metadata")

    monkeypatch.setattr(source, "_decode", fail)
    world.api.damage(TARGETS[0], 0, b"")
    world.time.seconds += QUICK.leaf.total_seconds()
    with capture_logs() as logs:
        source.step()
        source.step()
    assert [log["event"] for log in logs if log["log_level"] == "error"] == [
        "looking after certificates failed"
    ]
    status = source.status()
    assert (status.ready, status.published, status.changes) == (True, True, 2)
    assert status.message == "unexpected KeyError: 'metadata'"
    assert world.api.bundles() == [(world.state().active.certificate,)] * 3


def test_bundles_that_could_not_be_looked_at_are_not_called_published(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(1)
    world.run(30)
    source = world.replicas[0].source
    assert source.status().published

    def fail(*_: object) -> None:
        raise TypeError("no object")

    monkeypatch.setattr(world.replicas[0].client, "read_configuration", fail)
    source.step()
    status = source.status()
    assert (status.ready, status.published) == (True, False)
    assert status.message == "unexpected TypeError: no object"


def test_a_ca_that_ended_long_ago_is_replaced_at_the_start() -> None:
    world = World(1, Durations())
    world.age(400 * DAY)
    (replica,) = world.replicas
    replica.step()
    status = replica.source.status()
    assert (status.published, status.changes) == (True, 1)
    assert status.message == WAITING


def test_a_ca_that_ended_and_cannot_be_replaced_is_told_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(1, Durations())
    world.age(400 * DAY)
    (replica,) = world.replicas

    def forbidden(_secret: object) -> None:
        raise ApiError("may not update secrets", 403)

    monkeypatch.setattr(replica.client, "update_secret", forbidden)
    replica.step()
    ended = world.state().active.certificate.not_after.isoformat()
    assert replica.source.status().message == f"may not update secrets; the CA expired at {ended}"


def test_a_leaf_that_was_made_while_the_clock_ran_ahead_is_replaced() -> None:
    world = World(2, Durations())
    world.age(30 * DAY)
    world.run(60)
    writes = world.api.writes
    for replica in world.replicas:
        replica.skew = timedelta(days=2)
        replica.restart()
        replica.step()
        assert replica.source.status().changes == 1
        replica.skew = timedelta()
    world.run(10)
    assert [replica.source.status().changes for replica in world.replicas] == [2, 2]
    assert world.api.writes == writes
    world.run(DAY, 3600)
    assert [replica.source.status().changes for replica in world.replicas] == [2, 2]


def test_a_rotation_by_a_clock_that_ran_ahead_waits_and_loses_nobody() -> None:
    world = World(2, Durations())
    world.age(30 * DAY)
    world.run(1200, 120)
    old = world.state().active
    world.force(ahead=timedelta(hours=3))
    world.run(2 * 3600, 120)
    assert world.state().active == old
    world.run(2 * 3600, 120)
    assert world.state().active != old
    assert world.api.bundles() == [(world.state().active.certificate,)] * 3


def test_a_rotation_by_hand_is_the_remedy_for_a_ca_of_a_clock_that_ran_ahead() -> None:
    world = World(2, Durations())
    world.age(-30 * DAY)
    early = world.state().active.certificate.not_before.isoformat()
    for replica in world.replicas:
        replica.step()
        status = replica.source.status()
        assert not status.published
        assert status.message == f"the CA is not valid before {early}"
    world.force()
    until = world.time.seconds + 3 * Durations().publish_wait.total_seconds()
    while world.time.seconds < until:
        world.time.seconds += 30
        for replica in world.replicas:
            replica.step()
    world.check()
    assert all(replica.source.status().ready for replica in world.replicas)
    assert world.api.bundles() == [(world.state().active.certificate,)] * 3


def test_a_ca_that_only_others_remember_is_served_until_the_new_one_is_known() -> None:
    """All replicas but one forget it, together with the Secret."""
    world = World(2)
    world.run(30)
    survivor, other = world.replicas
    before = survivor.source.current()
    world.api.put_secret({})
    other.restart()
    other.step()
    survivor.step()
    assert survivor.source.current() == before
    assert survivor.source.status().message == (
        "a new CA is not known to every API server yet: the old one is served"
    )
    world.run(QUICK.publish_wait.total_seconds() + 20)
    assert survivor.source.current() != before
    assert survivor.source.status().message == ""


def test_a_forced_rotation_ends_with_the_old_ca_in_no_bundle() -> None:
    world = World(3, lag=QUICK.publish_wait.total_seconds() / 2)
    world.age(100)
    world.lag = 5
    world.run(60)
    world.lag = 30
    old = world.state().active.certificate
    world.force()
    world.run(2 * QUICK.publish_wait.total_seconds() + 30)
    new = world.state().active.certificate
    assert new != old
    assert world.api.bundles() == [(new,)] * 3


def test_ten_minutes_of_rotations_lose_nobody() -> None:
    """A CA a minute, two replicas, API servers half a wait behind."""
    minute = Durations(
        ca=timedelta(seconds=90),
        leaf=timedelta(seconds=30),
        publish_wait=timedelta(seconds=8),
        grace=timedelta(seconds=10),
        settle=timedelta(seconds=3),
    )
    world = World(2, minute, lag=3)
    world.run(20, 2)
    world.lag = 4
    world.run(600, 2)
    state = world.state()
    assert len(state.retired) >= 7
    assert len(world.api.bundles()[0]) <= 3


@pytest.mark.parametrize("hours", [-5, -0.5, 0.5, 5])
def test_a_wrong_clock_is_corrected_by_what_the_api_server_says(hours: float) -> None:
    world = World(2)
    wrong = world.replicas[0]
    wrong.skew = timedelta(hours=hours)
    wrong.client.offset = -wrong.skew
    world.run(300)
    assert len(world.state().trust) == 1
    assert all(replica.source.status().ready for replica in world.replicas)


def test_a_clock_that_runs_behind_makes_nobody_write_for_ever() -> None:
    """Nothing that is in the Secret is valid yet, by that clock."""
    world = World(1)
    world.run(30)
    writes, (replica,) = world.api.writes, world.replicas
    replica.skew = -timedelta(days=3)
    for _ in range(20):
        world.time.seconds += 10
        replica.step()
    replica.restart()
    replica.step()
    assert world.api.writes == writes


def test_a_replica_cut_off_for_a_day_serves_what_all_api_servers_accept() -> None:
    real = Durations()
    world = World(2, real)
    world.age(real.ca.total_seconds() * 2 / 3 - DAY)
    cut_off = world.replicas[1]
    world.run(3600, 600)

    def unreachable() -> None:
        raise ApiError("the API server does not answer")

    cut_off.client.before = unreachable
    # Its leaf is a few days old when the CA is replaced, and it hears of that a day late.
    world.run(4 * DAY, 3600 * 4)
    assert world.state().active.certificate.not_after > cut_off.source._now() + timedelta(days=360)
    cut_off.client.before = lambda: None
    world.run(20 * DAY, 3600 * 4)
    assert world.state().trust == (world.state().active.certificate,)


def test_what_the_api_refuses_is_in_the_status() -> None:
    world = World(1)
    (replica,) = world.replicas

    def forbidden() -> None:
        raise ApiError("may not get secrets", 403)

    replica.client.before = forbidden
    with capture_logs() as logs:
        replica.step()
        replica.step()
    (told,) = logs
    assert (told["log_level"], told["problems"]) == ("warning", ["may not get secrets"])
    status = replica.source.status()
    assert (status.ready, status.message) == (False, "may not get secrets")
    assert replica.source.current() is None


def test_a_started_source_hands_over_its_first_pair_and_stops() -> None:
    api = ApiServer(Time())
    quick = dataclasses.replace(QUICK, backdate=timedelta(hours=1))
    source = SelfManaged(Client(api), [NAME], quick)
    handed: list[KeyPair] = []
    served = threading.Event()

    def on_change(pair: KeyPair) -> None:
        handed.append(pair)
        served.set()

    source.start(on_change)
    assert served.wait(10)
    source.stop()
    assert handed == [source.current()]
    assert len(parse_pem(handed[0].chain)) == 1
