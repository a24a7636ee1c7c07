"""Every right of the chart is needed, and whoever takes one away is told which one."""

import copy
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from tests.system.controlplane.api import Api, Json, answered, at
from tests.system.controlplane.balancer import Endpoint
from tests.system.controlplane.cluster import ControlPlane
from tests.system.controlplane.installed import Installed
from tests.system.controlplane.process import free_port, until
from tests.system.controlplane.replica import Replica
from tests.system.e2e.arrival import created
from tests.system.e2e.reliability.rights import Right, rights, without
from tests.system.e2e.reliability.running import TARGET, values
from tests.system.e2e.setting import add_namespace
from tests.system.guide.rows import ROWS, Form
from webhook.telemetry.reporter import EVENT_DELAY_SECONDS

NAME = "rights"

MUTATING, VALIDATING = "mutatingwebhookconfigurations", "validatingwebhookconfigurations"


class Case(NamedTuple):
    """What it takes to need a right, and whether a replica is ready without it."""

    right: Right
    is_ready: bool = True
    before: Callable[["World"], None] | None = None
    """Done before the replica starts."""
    after: Callable[["World"], None] | None = None
    """Done again and again when it is ready."""

    @property
    def id(self) -> str:
        return str(self.right)


class World(NamedTuple):
    release: Installed
    replica: Replica
    pod: Json

    @property
    def api(self) -> Api:
        return self.release.plane.admin


def empty_the_secret(world: World) -> None:
    body = world.release.one("Secret")
    world.api.ensure(body)


def empty_bundle(kind: str) -> Callable[[World], None]:
    def empty(world: World) -> None:
        body = world.api.get(kind, world.release.configuration)
        for webhook in body["webhooks"]:
            webhook["clientConfig"].pop("caBundle", None)
        answered(world.api.send("PUT", at(body), body))

    return empty


def send_a_pod(world: World) -> None:
    world.replica.review(world.pod)


def send_a_pod_of_no_plan(world: World) -> None:
    pod = copy.deepcopy(world.pod)
    pod["metadata"]["labels"] |= {
        "plan": "00000000-0000-4000-8000-000000000000",
        "plan-name": "not-there",
        "plan-namespace": "nowhere",
    }
    world.replica.review(pod)


def tell_twice_and_end(world: World) -> None:
    """Have an Event whose count is brought up to date, at the latest in the end."""
    if world.replica.process.running:
        send_a_pod(world)
        time.sleep(3 * EVENT_DELAY_SECONDS)  # less, and both would be told as one
        send_a_pod(world)
        world.replica.stop()


CASES = [
    Case(Right("list", "plans"), is_ready=False),
    Case(Right("watch", "plans")),
    Case(Right("get", "plans"), after=send_a_pod_of_no_plan),
    Case(Right("list", "nodes")),
    Case(Right("watch", "nodes")),
    Case(Right("list", "pods")),
    Case(Right("watch", "pods")),
    Case(Right("create", "events"), after=send_a_pod),
    Case(Right("patch", "events"), after=tell_twice_and_end),
    Case(Right("get", MUTATING), is_ready=False),
    Case(Right("watch", MUTATING)),
    Case(
        Right("patch", MUTATING),
        is_ready=False,
        before=empty_bundle("MutatingWebhookConfiguration"),
    ),
    Case(Right("get", VALIDATING), is_ready=False),
    Case(Right("watch", VALIDATING)),
    Case(
        Right("patch", VALIDATING),
        is_ready=False,
        before=empty_bundle("ValidatingWebhookConfiguration"),
    ),
    Case(Right("get", "secrets"), is_ready=False),
    Case(Right("watch", "secrets")),
    Case(Right("update", "secrets"), is_ready=False, before=empty_the_secret),
]


@pytest.fixture(scope="module")
def release(plane: ControlPlane) -> Iterator[Installed]:
    add_namespace(plane.admin, NAME)
    release = Installed(plane, "convertor-webhook", NAME, values(NAME))
    release.install()
    try:
        yield release
    finally:
        release.uninstall()


@pytest.fixture(scope="module")
def at_least(api: Api) -> Iterator[None]:
    """Have a plan for which the labels of the nodes are needed."""
    plan = ROWS["resource-intensive"].plan(Form.ANNOTATIONS, TARGET)
    with created(api, plan):
        yield


def test_every_right_that_the_chart_gives_has_its_case(release: Installed) -> None:
    assert rights(release) == {case.right for case in CASES}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
@pytest.mark.usefixtures("at_least")
def test_a_right_that_is_missing_is_named_and_given_back_heals(
    case: Case, release: Installed, pods: list[Json]
) -> None:
    place = Endpoint(str(case.right).replace(" ", "-"), free_port(), free_port())
    world = World(release, Replica(release, place), pods[0])
    replica, missing = world.replica, f"may not {case.right} "
    try:
        if case.before:
            case.before(world)
        with without(case.right, release):
            replica.start()
            if case.is_ready:
                replica.await_ready()

            def named() -> bool:
                if case.after:
                    case.after(world)
                return missing in said(replica)

            until(f"somebody to say that it {missing}", named)
            assert replica.ready() is (case.is_ready and replica.process.running)
        if not replica.process.running:
            replica.start()
        replica.await_ready()
    finally:
        replica.close()


def said(replica: Replica) -> str:
    """Return all that is there to be read by people."""
    return f"{replica.status()} {replica.log()}"
