import base64
from datetime import timedelta

import pytest

from certs.bundle.bundle_history import Views
from certs.bundle.interface import ApiError, Target
from certs.bundle.publisher import Publisher
from certs.ca import pki
from certs.ca.certificate import encode_pem
from tests.certs.fake import START, TARGETS, ApiServer, Client, Time
from webhook.kube.objects import Json

MUTATING, VALIDATING = TARGETS
HOUR = timedelta(hours=1)
OURS, THEIRS, GONE = (pki.make_ca(START, HOUR, backdate=HOUR).certificate for _ in range(3))


class Recording(Client):
    """Keeps the patches, or refuses them."""

    def __init__(self, api: ApiServer) -> None:
        super().__init__(api)
        self.patches: list[tuple[Target, list[Json]]] = []
        self.refusal: ApiError | None = None

    def patch_configuration(self, target: Target, operations: list[Json]) -> None:
        self.patches.append((target, operations))
        if self.refusal:
            raise self.refusal
        super().patch_configuration(target, operations)


@pytest.fixture
def client() -> Recording:
    return Recording(ApiServer(Time()))


@pytest.fixture
def publisher(client: Recording) -> Publisher:
    return Publisher(client, Views(60))


def publish(publisher: Publisher, at: float = 0) -> bool:
    return publisher.publish([OURS], retired=[GONE.fingerprint], now=START, at=at)


def test_a_patch_touches_the_bundles_alone_and_only_on_the_version_read(
    publisher: Publisher, client: Recording
) -> None:
    versions = {
        target: configuration["metadata"]["resourceVersion"]
        for target, configuration in client.api.configurations.items()
    }
    assert publish(publisher)
    ours = base64.b64encode(OURS.pem).decode()

    def lock(target: Target) -> Json:
        path = "/metadata/resourceVersion"
        return {"op": "replace", "path": path, "value": versions[target]}

    def add(index: int) -> Json:
        path = f"/webhooks/{index}/clientConfig/caBundle"
        return {"op": "add", "path": path, "value": ours}

    assert client.patches == [
        (MUTATING, [lock(MUTATING), add(0), add(1)]),
        (VALIDATING, [lock(VALIDATING), add(0)]),
    ]


def test_what_is_right_is_not_written_again(publisher: Publisher, client: Recording) -> None:
    publish(publisher)
    assert not publish(publisher)
    assert len(client.patches) == 2


def test_what_others_put_there_stays_and_what_is_retired_goes(
    publisher: Publisher, client: Recording
) -> None:
    client.api.damage(MUTATING, 0, encode_pem([THEIRS, GONE]))
    publish(publisher)
    assert client.api.bundles() == [(OURS, THEIRS), (OURS,), (OURS,)]


def test_what_was_written_is_seen_only_when_it_was_read_back(publisher: Publisher) -> None:
    publish(publisher)
    assert publisher.views.latest() == ((),)
    publish(publisher)
    assert publisher.views.latest() == ((OURS,),)


def test_a_bundle_that_is_damaged_is_repaired_and_counted(
    publisher: Publisher, client: Recording
) -> None:
    for pem in (b"", b"no certificate", THEIRS.pem):
        publish(publisher)
        publish(publisher)
        client.api.damage(VALIDATING, 0, pem)
    assert publisher.repairs == 2
    assert publish(publisher)
    assert publisher.repairs == 3
    assert client.api.bundles()[-1] == (OURS, THEIRS)


def test_a_lost_race_is_read_again_and_no_problem(publisher: Publisher, client: Recording) -> None:
    client.refusal = ApiError("the object has been modified", 409)
    assert publish(publisher)
    assert publisher.problems == []


def test_a_right_that_is_missing_is_a_problem_and_nothing_to_read_again(
    publisher: Publisher, client: Recording
) -> None:
    client.refusal = ApiError("may not patch", 403)
    assert not publish(publisher)
    assert publisher.problems == ["may not patch"] * 2


def test_one_of_the_configurations_may_not_be_installed(
    publisher: Publisher, client: Recording
) -> None:
    del client.api.configurations[VALIDATING]
    assert publish(publisher)
    publish(publisher)
    assert publisher.problems == []
    assert publisher.views.latest() == ((OURS,),)


def test_without_any_configuration_nothing_is_published(
    publisher: Publisher, client: Recording
) -> None:
    client.api.configurations.clear()
    assert not publish(publisher)
    assert publisher.problems == [f"{target} not found" for target in TARGETS]
    assert not publisher.views.known


def test_settled_is_for_good_and_published_is_for_now(
    publisher: Publisher, client: Recording
) -> None:
    def judged(at: float) -> tuple[bool, bool]:
        publish(publisher, at)
        publisher.judge(lambda view: OURS in view, settle=5, at=at)
        return publisher.published, publisher.settled

    assert judged(0) == (False, False)
    assert judged(1) == (True, False)
    assert judged(5) == (True, False)
    assert judged(7) == (True, True)
    client.api.damage(MUTATING, 0, b"")
    assert judged(8) == (False, True)
    assert judged(9) == (True, True)
