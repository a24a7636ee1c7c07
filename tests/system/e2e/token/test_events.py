"""The token writes Events of the server on Plans, and no others."""

from collections.abc import Iterator

import pytest

from tests.system.controlplane.api import Api, Json, at, of
from tests.system.e2e.token.changes import Change
from tests.system.e2e.token.patches import PATCHES, put
from tests.system.e2e.token.stolen import REFUSED, Stolen, changed
from webhook.admission.events import Occurrences, PlanEvent, build_object
from webhook.model import PlanRef, Reason

NAMESPACE = "token"
OWN = build_object(
    PlanEvent(
        PlanRef(namespace=NAMESPACE, name="db", uid="uid"),
        1,
        Reason.PLACED,
        "placed",
        is_warning=False,
    ),
    "own",
    "replica-0",
    Occurrences(1, "2026-11-30T00:00:00Z", "2026-11-30T00:00:00Z"),
)
POD = {"apiVersion": "v1", "kind": "Pod", "name": "db", "namespace": NAMESPACE}

FORGED: dict[str, Change] = {
    "on a pod": lambda body: body.update(involvedObject=POD),
    "on a Plan of another API": lambda body: body["involvedObject"].update(apiVersion="v1"),
    "of another component": lambda body: body.update(reportingComponent="forklift-controller"),
    "of no component": lambda body: body.update(reportingComponent=""),
}


@pytest.fixture
def own(limited: Stolen) -> Iterator[Json]:
    """Create an Event with the token."""
    response = limited.api.send("POST", of(OWN), OWN)
    assert response.is_success, response.text
    yield OWN | response.json()
    limited.admin.delete("Event", "own", NAMESPACE)


@pytest.fixture
def foreign(api: Api) -> Iterator[list[Json]]:
    """Create an Event of another client for each forgery."""
    made = []
    for number, change in enumerate(FORGED.values()):
        body = changed(OWN, change)
        body["metadata"] = body["metadata"] | {"name": f"foreign-{number}"}
        made.append(body | api.create(body))
    yield made
    for body in made:
        api.delete("Event", body["metadata"]["name"], NAMESPACE)


def test_the_count_of_an_event_of_the_server_can_be_updated(own: Json, limited: Stolen) -> None:
    after = changed(own, lambda body: body.update(count=2))
    for write in PATCHES:
        assert write(limited.api, own, after, dryRun="All").json()["count"] == 2
    assert put(limited.api, own, after).status_code == 403


@pytest.mark.parametrize("what", FORGED)
def test_a_forged_event_is_refused(what: str, limited: Stolen) -> None:
    forged = changed(OWN, FORGED[what])
    response = limited.api.send("POST", of(forged), forged)
    assert response.status_code == 403
    assert REFUSED in response.text


@pytest.mark.parametrize("what", FORGED)
def test_an_event_of_the_server_cannot_become_another(
    what: str, own: Json, limited: Stolen
) -> None:
    after = changed(own, FORGED[what])
    for write in PATCHES:
        assert write(limited.api, own, after).is_error


def test_events_of_other_clients_cannot_be_changed(foreign: list[Json], limited: Stolen) -> None:
    for before in foreign:
        for change in (count_twice, as_of_the_server):
            after = changed(before, change)
            for write in PATCHES:
                response = write(limited.api, before, after)
                assert response.status_code in (403, 422), response.text
        assert limited.api.send("DELETE", at(before)).status_code == 403


def count_twice(body: Json) -> None:
    body["count"] = 2


def as_of_the_server(body: Json) -> None:
    body |= {key: OWN[key] for key in ("involvedObject", "reportingComponent")} | {
        "message": "forged"
    }


def test_events_cannot_be_read(own: Json, limited: Stolen) -> None:
    for path in (at(own), of(own)):
        assert limited.api.send("GET", path).status_code == 403


def test_the_other_api_of_events_is_refused(limited: Stolen) -> None:
    path = f"/apis/events.k8s.io/v1/namespaces/{NAMESPACE}/events"
    assert limited.api.send("POST", path, {"metadata": {"name": "x"}}).status_code == 403


def test_without_the_policy_any_event_can_be_forged_and_changed(
    foreign: list[Json], limited: Stolen
) -> None:
    with limited.without_policy():
        for change in FORGED.values():
            forged = changed(OWN, change)
            assert limited.api.send("POST", of(forged), forged, dryRun="All").is_success
        for before in foreign:
            for write in PATCHES:
                after = changed(before, count_twice)
                assert write(limited.api, before, after, dryRun="All").is_success
