import base64
from datetime import timedelta

import pytest

from certs.bundle.bundle_history import BundleHistory
from certs.bundle.interface import Target
from certs.bundle.publisher import Publisher
from certs.ca import pki
from certs.ca.certificate import encode_pem
from tests.support.certs.installation import START, TARGETS, FakeCluster, Installation, key_of
from webhook.kube.api.errors import ApiError
from webhook.kube.objects import Json

MUTATING, VALIDATING = TARGETS
HOUR = timedelta(hours=1)
TRUSTED, FOREIGN, RETIRED = (pki.make_ca(START, HOUR, backdate=HOUR).certificate for _ in range(3))


class RecordingCluster(FakeCluster):
    """Records the patches, and refuses them if `refusal` is set."""

    def __init__(self, installation: Installation) -> None:
        super().__init__(installation)
        self.patches: list[tuple[Target, list[Json]]] = []
        self.refusal: ApiError | None = None

    def patch_configuration(self, target: Target, operations: list[Json]) -> None:
        self.patches.append((target, operations))
        if self.refusal:
            raise self.refusal
        super().patch_configuration(target, operations)


@pytest.fixture
def installation() -> Installation:
    return Installation()


@pytest.fixture
def cluster(installation: Installation) -> RecordingCluster:
    return RecordingCluster(installation)


@pytest.fixture
def publisher(cluster: RecordingCluster) -> Publisher:
    return Publisher(cluster, BundleHistory(60))


def publish(publisher: Publisher, at: float = 0) -> bool:
    return publisher.publish([TRUSTED], retired=[RETIRED.fingerprint], now=START, at=at)


def test_a_patch_changes_only_the_bundles_of_the_version_read(
    publisher: Publisher, cluster: RecordingCluster, installation: Installation
) -> None:
    versions = {
        target: installation.get(*key_of(target))["metadata"]["resourceVersion"]
        for target in TARGETS
    }
    assert publish(publisher)
    bundle = base64.b64encode(TRUSTED.pem).decode()

    def lock(target: Target) -> Json:
        path = "/metadata/resourceVersion"
        return {"op": "replace", "path": path, "value": versions[target]}

    def add(index: int) -> Json:
        path = f"/webhooks/{index}/clientConfig/caBundle"
        return {"op": "add", "path": path, "value": bundle}

    assert cluster.patches == [
        (MUTATING, [lock(MUTATING), add(0), add(1)]),
        (VALIDATING, [lock(VALIDATING), add(0)]),
    ]


def test_a_bundle_as_desired_is_not_written(
    publisher: Publisher, cluster: RecordingCluster
) -> None:
    publish(publisher)
    assert not publish(publisher)
    assert len(cluster.patches) == 2


def test_foreign_certificates_are_kept_and_retired_ones_removed(
    publisher: Publisher, installation: Installation
) -> None:
    installation.damage(MUTATING, 0, encode_pem([FOREIGN, RETIRED]))
    publish(publisher)
    assert installation.bundles() == [(TRUSTED, FOREIGN), (TRUSTED,), (TRUSTED,)]


def test_a_write_is_in_the_history_once_it_is_read_back(publisher: Publisher) -> None:
    publish(publisher)
    assert publisher.history.latest() == ((),)
    publish(publisher)
    assert publisher.history.latest() == ((TRUSTED,),)


def test_a_bundle_changed_by_another_client_is_repaired_and_counted(
    publisher: Publisher, installation: Installation
) -> None:
    for pem in (b"", b"no certificate", FOREIGN.pem):
        publish(publisher)
        publish(publisher)
        installation.damage(VALIDATING, 0, pem)
    assert publisher.repairs == 2
    assert publish(publisher)
    assert publisher.repairs == 3
    assert installation.bundles()[-1] == (TRUSTED, FOREIGN)


def test_a_webhook_that_an_upgrade_adds_gets_the_ca_and_counts_as_no_repair(
    publisher: Publisher, installation: Installation
) -> None:
    publish(publisher)
    publish(publisher)
    before = installation.get(*key_of(MUTATING))
    added = {"name": "added.hook", "clientConfig": {}}
    installation.add(before | {"webhooks": [*before["webhooks"], added]})
    assert publish(publisher)
    assert publisher.repairs == 0
    installation.damage(MUTATING, 2, b"")
    assert publish(publisher)
    assert publisher.repairs == 0, "the CA in the new webhook has not been read back"
    publish(publisher)
    installation.damage(MUTATING, 2, b"")
    assert publish(publisher)
    assert publisher.repairs == 1


def test_a_webhook_that_an_upgrade_removes_counts_as_no_repair(
    publisher: Publisher, installation: Installation
) -> None:
    publish(publisher)
    publish(publisher)
    before = installation.get(*key_of(MUTATING))
    installation.add(before | {"webhooks": before["webhooks"][1:]})
    assert not publish(publisher)
    assert publisher.repairs == 0


def test_a_conflict_is_not_a_problem_but_a_reason_to_read_again(
    publisher: Publisher, cluster: RecordingCluster
) -> None:
    cluster.refusal = ApiError("the object has been modified", 409)
    assert publish(publisher)
    assert publisher.problems == []


def test_a_missing_right_is_a_problem(publisher: Publisher, cluster: RecordingCluster) -> None:
    cluster.refusal = ApiError("may not patch", 403)
    assert not publish(publisher)
    assert publisher.problems == ["may not patch"] * 2


def test_one_of_the_configurations_may_be_missing(
    publisher: Publisher, installation: Installation
) -> None:
    installation.delete(*key_of(VALIDATING))
    assert publish(publisher)
    publish(publisher)
    assert publisher.problems == []
    assert publisher.history.latest() == ((TRUSTED,),)


def test_without_a_configuration_nothing_is_published(
    publisher: Publisher, installation: Installation
) -> None:
    for target in TARGETS:
        installation.delete(*key_of(target))
    assert not publish(publisher)
    assert publisher.problems == [
        'mutatingwebhookconfigurations "hook" not found',
        'validatingwebhookconfigurations "hook" not found',
    ]
    assert publisher.history.is_empty


def test_settled_is_permanent_and_published_is_not(
    publisher: Publisher, installation: Installation
) -> None:
    def check(at: float) -> tuple[bool, bool]:
        publish(publisher, at)
        publisher.check(lambda bundle: TRUSTED in bundle, settle=5, at=at)
        return publisher.published, publisher.settled

    assert check(0) == (False, False)
    assert check(1) == (True, False)
    assert check(5) == (True, False)
    assert check(7) == (True, True)
    installation.damage(MUTATING, 0, b"")
    assert check(8) == (False, True)
    assert check(9) == (True, True)
