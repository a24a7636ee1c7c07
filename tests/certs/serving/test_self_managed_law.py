"""The law of `tests.certs.world`, under schedules that hypothesis makes up."""

import base64
import contextlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from certs.bundle.interface import ApiError
from certs.ca import pki
from certs.ca.certificate import encode_pem
from certs.ca.durations import MAX_BUNDLE_CERTIFICATES
from certs.ca.secret import KEYS, SecretError
from tests.certs.fake import TARGETS, CrashError
from tests.certs.world import QUICK, World

REPLICAS = 3

# A schedule takes a hundred rounds and half as many milliseconds.
FEWER = settings(max_examples=settings().max_examples // 4)

Event = tuple[Any, ...]

index = st.integers(0, REPLICAS - 1)
# Before the next CA is due after 1200 seconds, and while it is.
ages = st.sampled_from([0, 1100, 1190])
calls = st.integers(1, 8)
# For how long, and how often the replicas look meanwhile.
pauses = st.sampled_from([(0, 1), (3, 3), (20, 3), (70, 10), (150, 10)])
accidents = st.one_of(
    st.tuples(st.just("crash"), index),
    st.tuples(st.just("crash_all")),
    st.tuples(st.just("at_call"), index, calls, st.sampled_from(["crash", "lose"])),
    st.tuples(st.just("unreachable"), index, calls),
    st.tuples(st.just("others_first"), index, calls, index),
    st.tuples(st.just("force"), st.sampled_from([0, 0, 3690])),
)
disasters = st.one_of(
    accidents,
    st.tuples(st.just("secret"), st.sampled_from(["emptied", "no key", "no state", "gone"])),
    st.tuples(st.just("flipped"), st.sampled_from(KEYS), st.integers(0, 9999), st.integers(0, 7)),
    st.tuples(st.just("forgotten"), index),
    st.tuples(
        st.just("bundle"),
        st.sampled_from(TARGETS),
        st.integers(0, 1),
        st.sampled_from(["empty", "garbage", "foreign", "first", "half"]),
    ),
)


def happen(world: World, event: Event) -> None:
    kind, *arguments = event
    getattr(Happenings, kind)(world, *arguments)


class Happenings:
    """What an event does to a world, under the event's name."""

    @staticmethod
    def crash(world: World, which: int) -> None:
        world.replicas[which].restart()

    @staticmethod
    def crash_all(world: World) -> None:
        for replica in world.replicas:
            replica.restart()

    @staticmethod
    def at_call(world: World, which: int, call: int, what: str) -> None:
        """Let the answer to the n-th call from now never arrive, or nobody be there for it."""
        client = world.replicas[which].client
        error = CrashError() if what == "crash" else ApiError("the answer is lost")
        client.after = _at(call, _raiser(error))

    @staticmethod
    def unreachable(world: World, which: int, count: int) -> None:
        client = world.replicas[which].client
        fail = _raiser(ApiError("the API server does not answer"))
        client.before = _until(count, fail)

    @staticmethod
    def others_first(world: World, which: int, call: int, other: int) -> None:
        """Let another replica make its whole round between two calls of this one."""
        if other != which:
            client = world.replicas[which].client
            client.before = _at(call, world.replicas[other].step)

    @staticmethod
    def force(world: World, ahead: int) -> None:
        with contextlib.suppress(SecretError):
            world.force(timedelta(seconds=ahead))

    @staticmethod
    def secret(world: World, what: str) -> None:
        api = world.api
        if what == "gone":
            api.secret = None
            world.run(20)
            what = "emptied"
        data = dict((api.secret or {}).get("data") or {})
        if what == "no key":
            data["ca.key"] = base64.b64encode(b"-----BEGIN PRIVATE KEY-----").decode()
        if what == "no state":
            data["state.json"] = base64.b64encode(b"{").decode()
        api.put_secret({} if what == "emptied" else data)

    @staticmethod
    def flipped(world: World, key: str, at: int, bit: int) -> None:
        """Let one bit of the Secret be another."""
        data = dict((world.api.secret or {}).get("data") or {})
        content = bytearray(base64.b64decode(data.get(key, "")))
        if content:
            content[at % len(content)] ^= 1 << bit
            data[key] = base64.b64encode(content).decode()
            world.api.put_secret(data)

    @staticmethod
    def forgotten(world: World, which: int) -> None:
        """Lose the CA to a replica that cannot remember it, and writes another."""
        world.api.put_secret({})
        world.replicas[which].restart()
        world.replicas[which].step()

    @staticmethod
    def bundle(world: World, target: Any, webhook: int, what: str) -> None:
        place = min((key for key in world.api.history if key == (target, webhook)), default=None)
        if place is None:
            return
        contents = world.api.history[place]
        foreign = pki.make_ca(world.time.now(), timedelta(hours=1), backdate=timedelta(hours=1))
        view = {
            "empty": (),
            "garbage": (),
            "foreign": (foreign.certificate,),
            "first": contents[min(1, len(contents) - 1)].view,
            "half": contents[-1].view[:1],
        }[what]
        pem = b"-----BEGIN CERTIFICATE-----" if what == "garbage" else encode_pem(view)
        world.api.damage(*place, pem)
        world.damaged_at = world.time.seconds


def _raiser(error: BaseException) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


def _at(call: int, act: Callable[[], None]) -> Callable[[], None]:
    left = iter(range(call, -1, -1))

    def hook() -> None:
        if next(left, -1) == 1:
            act()

    return hook


def _until(count: int, act: Callable[[], None]) -> Callable[[], None]:
    left = iter(range(count))

    def hook() -> None:
        if next(left, None) is not None:
            act()

    return hook


def settle_down(world: World) -> None:
    """Without further accidents all is well again, and the same for all."""
    for replica in world.replicas:
        replica.client.before = replica.client.after = lambda: None
    world.run(2 * QUICK.publish_wait.total_seconds() + 20)
    state = world.state()
    for replica in world.replicas:
        status = replica.source.status()
        assert (status.ready, status.published, status.message) == (True, True, "")
    for view in world.api.bundles():
        assert set(state.trust) <= set(view)
        assert len(view) <= MAX_BUNDLE_CERTIFICATES
        assert not {certificate.fingerprint for certificate in view} & set(state.retired)


@FEWER
@given(
    age=ages,
    lag=st.sampled_from([5.0, 30.0]),
    skews=st.lists(st.sampled_from([-20, 0, 0, 20]), min_size=REPLICAS, max_size=REPLICAS),
    events=st.lists(st.tuples(accidents, pauses), max_size=8),
)
def test_no_accident_of_replicas_makes_an_api_server_refuse_one(
    age: int, lag: float, skews: list[int], events: list[tuple[Event, tuple[int, int]]]
) -> None:
    world = World(REPLICAS)
    world.age(age)
    for replica, skew in zip(world.replicas, skews, strict=True):
        replica.skew = timedelta(seconds=skew)
    # API servers so far behind still have the empty bundles of the installation.
    world.run(lag + 10)
    world.lag = lag
    for event, pause in events:
        happen(world, event)
        world.run(*pause)
    settle_down(world)


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
@FEWER
@given(age=ages, events=st.lists(st.tuples(disasters, pauses), max_size=8))
def test_no_disaster_is_more_than_one_round_away_from_being_mended(
    age: int, events: list[tuple[Event, tuple[int, int]]]
) -> None:
    world = World(REPLICAS)
    world.age(age)
    world.run(20)
    for event, pause in events:
        happen(world, event)
        world.run(*pause)
    settle_down(world)
