"""Every right of the chart is needed, and a missing one is reported."""

import copy
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

from tests.system.controlplane.api import Api, Json, at, unwrap
from tests.system.controlplane.balancer import Endpoint
from tests.system.controlplane.cluster import ControlPlane
from tests.system.controlplane.installed import Installed
from tests.system.controlplane.process import free_port, until
from tests.system.controlplane.replica import Replica
from tests.system.e2e.pod_results import created, send
from tests.system.e2e.preparation import add_namespace
from tests.system.e2e.reliability.rights import Right, rights, without
from tests.system.e2e.reliability.running import TARGET, values
from tests.system.e2e.row_cluster import claim
from tests.system.guide.rows import PLAN_NAMESPACE, ROWS, Form
from webhook.telemetry.reporter import EVENT_DELAY_SECONDS

NAME, LIMITED = "rights", "limited-rights"

MUTATING, VALIDATING = "mutatingwebhookconfigurations", "validatingwebhookconfigurations"


class Case(NamedTuple):
    """A right, the actions that make a replica use it, and its readiness without the right."""

    right: Right
    is_ready: bool = True
    before: Callable[["Scenario"], None] | None = None
    """Called before the replica starts."""
    after: Callable[["Scenario"], None] | None = None
    """Called repeatedly when it is ready."""

    @property
    def id(self) -> str:
        return str(self.right)


class Scenario(NamedTuple):
    release: Installed
    replica: Replica
    pod: Json

    @property
    def api(self) -> Api:
        return self.release.plane.admin


def empty_the_secret(scenario: Scenario) -> None:
    body = scenario.release.one("Secret")
    scenario.api.ensure(body)


def empty_bundle(kind: str) -> Callable[[Scenario], None]:
    def empty(scenario: Scenario) -> None:
        body = scenario.api.get(kind, scenario.release.configuration)
        for webhook in body["webhooks"]:
            webhook["clientConfig"].pop("caBundle", None)
        unwrap(scenario.api.send("PUT", at(body), body))

    return empty


def send_a_pod(scenario: Scenario) -> None:
    scenario.replica.review(scenario.pod)


def send_a_pod_of_no_plan(scenario: Scenario) -> None:
    pod = copy.deepcopy(scenario.pod)
    pod["metadata"]["labels"] |= {
        "plan": "00000000-0000-4000-8000-000000000000",
        "plan-name": "not-there",
        "plan-namespace": "nowhere",
    }
    scenario.replica.review(pod)


def leave_a_pod_unplaced(scenario: Scenario) -> None:
    """Create a pod for which the webhook is not called.

    Pods of the second in which the replica has started are not checked, so it is called again.
    """
    send(scenario.api, scenario.pod)
    time.sleep(1)


def bind_a_disk(scenario: Scenario) -> None:
    """Create a bound PVC with the labels of a migration, unless it exists."""
    metadata = scenario.pod["metadata"]
    labels = {key: metadata["labels"][key] for key in ("plan", "migration", "vmID")}
    claim(scenario.api, metadata["namespace"], "of-a-migration", labels)


def repeat_an_event_and_stop(scenario: Scenario) -> None:
    """Cause an Event whose count is updated, at the latest when the replica stops."""
    if scenario.replica.process.running:
        send_a_pod(scenario)
        time.sleep(3 * EVENT_DELAY_SECONDS)  # otherwise both would be one Event
        send_a_pod(scenario)
        scenario.replica.stop()


CASES = [
    Case(Right("list", "plans"), is_ready=False),
    Case(Right("watch", "plans")),
    Case(Right("get", "plans"), after=send_a_pod_of_no_plan),
    Case(Right("list", "nodes")),
    Case(Right("watch", "nodes")),
    Case(Right("list", "pods")),
    Case(Right("watch", "pods")),
    Case(Right("get", "namespaces"), after=leave_a_pod_unplaced),
    Case(Right("list", "persistentvolumeclaims")),
    Case(Right("watch", "persistentvolumeclaims")),
    Case(Right("get", "persistentvolumes"), after=bind_a_disk),
    Case(Right("list", "storageclasses")),
    Case(Right("watch", "storageclasses")),
    Case(Right("create", "events"), after=send_a_pod),
    Case(Right("patch", "events"), after=repeat_an_event_and_stop),
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


LIMITED_CASES = [
    Case(Right("list", "pods")),
    Case(Right("watch", "pods")),
    Case(Right("get", "namespaces"), after=leave_a_pod_unplaced),
]
"""The rights of `watchPodsNamespaces`: in a namespace, or by its name."""


def install(plane: ControlPlane, name: str, **further: Any) -> Iterator[Installed]:
    add_namespace(plane.admin, name)
    release = Installed(plane, "convertor-webhook", name, values(name) | further)
    release.install()
    try:
        yield release
    finally:
        release.uninstall()


@pytest.fixture(scope="module")
def release(plane: ControlPlane) -> Iterator[Installed]:
    yield from install(plane, NAME)


@pytest.fixture(scope="module")
def at_least(api: Api) -> Iterator[None]:
    """Create a plan that compares labels of nodes."""
    plan = ROWS["resource-intensive"].plan(Form.ANNOTATIONS, TARGET)
    with created(api, plan):
        yield


@pytest.fixture(scope="module")
def limited(plane: ControlPlane, pods: list[Json]) -> Iterator[Installed]:
    """Install a release that watches the pods of one namespace."""
    yield from install(plane, LIMITED, watchPodsNamespaces=[pods[0]["metadata"]["namespace"]])


def test_every_right_of_the_chart_has_a_case(release: Installed, limited: Installed) -> None:
    assert rights(release) == rights(limited) == {case.right for case in CASES}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
@pytest.mark.usefixtures("at_least")
def test_a_missing_right_is_reported_and_the_replica_recovers_when_it_is_granted(
    case: Case, release: Installed, pods: list[Json]
) -> None:
    check(case, release, pods[0])


@pytest.mark.parametrize("case", LIMITED_CASES, ids=lambda case: case.id)
def test_a_missing_right_is_reported_also_if_watched_namespaces_limit_it(
    case: Case, limited: Installed, pods: list[Json]
) -> None:
    check(case, limited, pods[0])


def check(case: Case, release: Installed, pod: Json) -> None:
    """Remove a right, start a replica and wait for the message, then for its readiness."""
    place = Endpoint(str(case.right).replace(" ", "-"), free_port(), free_port())
    scenario = Scenario(release, Replica(release, place), pod)
    replica, missing = scenario.replica, f"may not {case.right} "
    try:
        if case.before:
            case.before(scenario)
        with without(case.right, release):
            replica.start()
            if case.is_ready:
                replica.await_ready()

            def reported() -> bool:
                if case.after:
                    case.after(scenario)
                return missing in read_output(replica)

            until(f"a message with '{missing}'", reported)
            assert replica.ready() is (case.is_ready and replica.process.running)
        if not replica.process.running:
            replica.start()
        replica.await_ready()
    finally:
        replica.close()
        scenario.api.delete_all("Pod", TARGET)
        scenario.api.delete_all("PersistentVolumeClaim", TARGET)


def test_with_its_rights_and_policy_a_replica_counts_an_event(
    release: Installed, pods: list[Json]
) -> None:
    assert release.one("ValidatingAdmissionPolicy")
    replica = Replica(release, Endpoint("events", free_port(), free_port()))
    scenario = Scenario(release, replica, pods[0])
    try:
        replica.start()
        replica.await_ready()
        repeat_an_event_and_stop(scenario)
        found = scenario.api.list("Event", PLAN_NAMESPACE)
        counts = [each["count"] for each in found if each["reportingInstance"] == instance(found)]
        assert counts == [2], read_output(replica)
        assert "cannot be written" not in read_output(replica)
    finally:
        replica.close()


def instance(events: list[Json]) -> str:
    """Return the replica that has written the last Event."""
    return str(max(events, key=lambda each: each["lastTimestamp"])["reportingInstance"])


def read_output(replica: Replica) -> str:
    """Return /readyz and the log."""
    return f"{replica.status()} {replica.log()}"
