import queue
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from certs.bundle.api import ClusterApi
from certs.bundle.interface import CONFLICT, ApiError, targets
from certs.ca import rotation, secret
from certs.ca.durations import Durations
from tests.certs.http_api import ADMISSION, SECRETS, Asked, HttpApi, running
from tests.support.waiting import eventually
from webhook.kube.api.client import connect

MUTATING, VALIDATING = targets("ours")


@pytest.fixture
def http() -> Iterator[HttpApi]:
    with running() as http:
        yield http


@pytest.fixture
def cluster(http: HttpApi, tmp_path: Path) -> ClusterApi:
    return ClusterApi(
        connect(http.kubeconfig(tmp_path)),
        targets=targets("ours"),
        namespace="migration",
        secret="ca",
    )


def test_a_secret_is_written_back_on_the_version_read(http: HttpApi, cluster: ClusterApi) -> None:
    state = rotation.initialize(datetime(2030, 1, 1, tzinfo=UTC), Durations())
    found = cluster.read_secret()
    cluster.update_secret(secret.store(state, found))
    assert secret.decode(cluster.read_secret()["data"]) == state
    assert http.asked[1] == Asked(
        "PUT", f"{SECRETS}/ca?fieldManager=convertor-webhook-certs", "application/json"
    )
    with pytest.raises(ApiError) as caught:
        cluster.update_secret(secret.store(state, found))
    assert caught.value.status == CONFLICT


def test_a_bundle_is_patched_with_a_field_manager_of_its_own(
    http: HttpApi, cluster: ClusterApi
) -> None:
    version = cluster.read_configuration(VALIDATING)["metadata"]["resourceVersion"]
    lock = {"op": "replace", "path": "/metadata/resourceVersion", "value": version}
    cluster.patch_configuration(VALIDATING, [lock])
    path = f"{ADMISSION}/validatingwebhookconfigurations/ours"
    assert http.asked == [
        Asked("GET", path),
        Asked(
            "PATCH",
            f"{path}?fieldManager=convertor-webhook-certs",
            "application/json-patch+json",
        ),
    ]
    with pytest.raises(ApiError) as caught:
        cluster.patch_configuration(VALIDATING, [lock])
    assert caught.value.status == CONFLICT


def test_what_is_missing_comes_with_the_chart(http: HttpApi, cluster: ClusterApi) -> None:
    http.stored.secret = None
    with pytest.raises(ApiError, match=r"'helm upgrade' puts it back$"):
        cluster.read_secret()


def test_a_right_that_is_missing_is_named(http: HttpApi, cluster: ClusterApi) -> None:
    http.forbidden = "PATCH"
    with pytest.raises(ApiError) as caught:
        cluster.patch_configuration(MUTATING, [])
    assert str(caught.value) == (
        "'sa' may not patch mutatingwebhookconfigurations at the cluster scope: it needs a"
        ' ClusterRole with apiGroups: ["admissionregistration.k8s.io"],'
        ' resources: ["mutatingwebhookconfigurations"], verbs: ["patch"]'
    )


@pytest.mark.parametrize(("seconds", "offset"), [(3, 0), (3600, 3600), (-3600, -3600)])
def test_the_api_server_says_what_time_it_is(
    http: HttpApi, cluster: ClusterApi, seconds: int, offset: int
) -> None:
    """Small differences may be the network's."""
    date = datetime.now(UTC) + timedelta(seconds=seconds)
    http.date = format_datetime(date, usegmt=True)
    cluster.read_secret()
    assert abs(cluster.clock_offset() - timedelta(seconds=offset)) < timedelta(seconds=3)


def test_a_watch_asks_for_its_one_object_and_wakes_for_every_line(
    http: HttpApi, cluster: ClusterApi
) -> None:
    woken: queue.Queue[None] = queue.Queue()
    end = cluster.watch(lambda: woken.put(None))
    eventually(lambda: len(http.asked) == 3)
    for _ in range(3):
        http.events.put(b"{}\n")
    for _ in range(3):
        woken.get(timeout=10)
    end()
    query = "watch=true&timeoutSeconds=300"
    assert sorted(asked.path for asked in http.asked) == [
        f"{SECRETS}?fieldSelector=metadata.name%3Dca&{query}",
        f"{ADMISSION}/mutatingwebhookconfigurations?fieldSelector=metadata.name%3Dours&{query}",
        f"{ADMISSION}/validatingwebhookconfigurations?fieldSelector=metadata.name%3Dours&{query}",
    ]
