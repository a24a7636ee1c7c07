"""The law of `tests.support.certs.simulation`, under generated sequences of events."""

import base64
import contextlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from certs.bundle.interface import Target
from certs.ca import pki
from certs.ca.certificate import TrustBundle, encode_pem
from certs.ca.durations import MAX_BUNDLE_CERTIFICATES
from certs.ca.secret import KEYS, SecretError
from tests.support.certs.installation import TARGETS, CrashError
from tests.support.certs.simulation import SHORT_DURATIONS, Simulation
from webhook.kube.api.errors import ApiError

REPLICAS = 3

# A sequence takes a hundred rounds and half as many milliseconds.
FEWER = settings(max_examples=settings().max_examples // 4)

Event = tuple[Any, ...]
"""The name of a method of `Events`, and its arguments."""

indices = st.integers(0, REPLICAS - 1)
# The next CA is due after 1200 seconds.
ages = st.sampled_from([0, 1100, 1190])
requests = st.integers(1, 8)
# Seconds to run, and between the rounds.
pauses = st.sampled_from([(0, 1), (3, 3), (20, 3), (70, 10), (150, 10)])
replica_failures = st.one_of(
    st.tuples(st.just("crash"), indices),
    st.tuples(st.just("crash_all")),
    st.tuples(st.just("fail_request"), indices, requests, st.sampled_from(["crash", "lose"])),
    st.tuples(st.just("disconnect"), indices, requests),
    st.tuples(st.just("run_other_first"), indices, requests, indices),
    st.tuples(st.just("force_rotation"), st.sampled_from([0, 0, 3690])),
)
all_failures = st.one_of(
    replica_failures,
    st.tuples(
        st.just("damage_secret"), st.sampled_from(["emptied", "no key", "no state", "deleted"])
    ),
    st.tuples(st.just("flip_bit"), st.sampled_from(KEYS), st.integers(0, 9999), st.integers(0, 7)),
    st.tuples(st.just("lose_ca"), indices),
    st.tuples(
        st.just("damage_bundle"),
        st.sampled_from(TARGETS),
        st.integers(0, 1),
        st.sampled_from(["empty", "garbage", "foreign", "first", "half"]),
    ),
)


def apply(simulation: Simulation, event: Event) -> None:
    name, *arguments = event
    getattr(Events, name)(simulation, *arguments)


class Events:
    """The effects of events on a simulation."""

    @staticmethod
    def crash(simulation: Simulation, index: int) -> None:
        simulation.replicas[index].restart()

    @staticmethod
    def crash_all(simulation: Simulation) -> None:
        for replica in simulation.replicas:
            replica.restart()

    @staticmethod
    def fail_request(simulation: Simulation, index: int, request: int, failure: str) -> None:
        """Lose the response to the n-th request from now, or crash before it arrives."""
        error = CrashError() if failure == "crash" else ApiError("the response is lost")
        simulation.replicas[index].cluster.after = _at(request, _fail_with(error))

    @staticmethod
    def disconnect(simulation: Simulation, index: int, requests: int) -> None:
        fail = _fail_with(ApiError("the API server does not respond"))
        simulation.replicas[index].cluster.before = _until(requests, fail)

    @staticmethod
    def run_other_first(simulation: Simulation, index: int, request: int, other: int) -> None:
        """Run the whole round of another replica between two requests of this one."""
        if other != index:
            step = simulation.replicas[other].step
            simulation.replicas[index].cluster.before = _at(request, step)

    @staticmethod
    def force_rotation(simulation: Simulation, ahead: int) -> None:
        with contextlib.suppress(SecretError):
            simulation.force_rotation(timedelta(seconds=ahead))

    @staticmethod
    def damage_secret(simulation: Simulation, damage: str) -> None:
        installation = simulation.installation
        if damage == "deleted":
            installation.delete_secret()
            simulation.run(20)
            damage = "emptied"
        data = dict((installation.secret or {}).get("data") or {})
        if damage == "no key":
            data["ca.key"] = base64.b64encode(b"-----BEGIN PRIVATE KEY-----").decode()
        if damage == "no state":
            data["state.json"] = base64.b64encode(b"{").decode()
        installation.put_secret({} if damage == "emptied" else data)

    @staticmethod
    def flip_bit(simulation: Simulation, key: str, index: int, bit: int) -> None:
        """Flip one bit of the Secret."""
        data = dict((simulation.installation.secret or {}).get("data") or {})
        content = bytearray(base64.b64decode(data.get(key, "")))
        if content:
            content[index % len(content)] ^= 1 << bit
            data[key] = base64.b64encode(content).decode()
            simulation.installation.put_secret(data)

    @staticmethod
    def lose_ca(simulation: Simulation, index: int) -> None:
        """Empty the Secret, and have a replica that restarts write another CA."""
        simulation.installation.put_secret({})
        simulation.replicas[index].restart()
        simulation.replicas[index].step()

    @staticmethod
    def damage_bundle(simulation: Simulation, target: Target, webhook: int, damage: str) -> None:
        contents = simulation.installation.history.get((target, webhook))
        if contents is None:
            return
        hour = timedelta(hours=1)
        foreign = pki.make_ca(simulation.time.now(), hour, backdate=hour)
        bundle: TrustBundle = {
            "empty": (),
            "garbage": (),
            "foreign": (foreign.certificate,),
            "first": contents[min(1, len(contents) - 1)].bundle,
            "half": contents[-1].bundle[:1],
        }[damage]
        pem = b"-----BEGIN CERTIFICATE-----" if damage == "garbage" else encode_pem(bundle)
        simulation.damage(target, webhook, pem)


def _fail_with(error: BaseException) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


def _at(request: int, act: Callable[[], None]) -> Callable[[], None]:
    """Return a hook that acts at the n-th request."""
    left = iter(range(request, -1, -1))

    def hook() -> None:
        if next(left, -1) == 1:
            act()

    return hook


def _until(requests: int, act: Callable[[], None]) -> Callable[[], None]:
    """Return a hook that acts at the first n requests."""
    left = iter(range(requests))

    def hook() -> None:
        if next(left, None) is not None:
            act()

    return hook


def settle_down(simulation: Simulation) -> None:
    """Check that without further events every replica is ready and trusts the same CAs."""
    for replica in simulation.replicas:
        replica.cluster.before = replica.cluster.after = lambda: None
    simulation.run(2 * SHORT_DURATIONS.publish_wait.total_seconds() + 20)
    state = simulation.installation.state
    for replica in simulation.replicas:
        status = replica.source.status()
        assert (status.ready, status.published, status.message) == (True, True, "")
    for bundle in simulation.installation.bundles():
        assert set(state.trust) <= set(bundle)
        assert len(bundle) <= MAX_BUNDLE_CERTIFICATES
        assert not {certificate.fingerprint for certificate in bundle} & set(state.retired)


@FEWER
@given(
    age=ages,
    lag=st.sampled_from([5.0, 30.0]),
    skews=st.lists(st.sampled_from([-20, 0, 0, 20]), min_size=REPLICAS, max_size=REPLICAS),
    events=st.lists(st.tuples(replica_failures, pauses), max_size=8),
)
def test_api_servers_accept_every_ready_replica_whatever_happens_to_replicas(
    age: int, lag: float, skews: list[int], events: list[tuple[Event, tuple[int, int]]]
) -> None:
    simulation = Simulation(REPLICAS)
    simulation.age(age)
    for replica, skew in zip(simulation.replicas, skews, strict=True):
        replica.skew = timedelta(seconds=skew)
    # API servers that lag so far would still use the empty caBundles of the installation.
    simulation.run(lag + 10)
    simulation.lag = lag
    for event, pause in events:
        apply(simulation, event)
        simulation.run(*pause)
    settle_down(simulation)


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
@FEWER
@given(age=ages, events=st.lists(st.tuples(all_failures, pauses), max_size=8))
def test_damaged_secrets_and_bundles_are_repaired_within_one_round(
    age: int, events: list[tuple[Event, tuple[int, int]]]
) -> None:
    simulation = Simulation(REPLICAS)
    simulation.age(age)
    simulation.run(20)
    for event, pause in events:
        apply(simulation, event)
        simulation.run(*pause)
    settle_down(simulation)
