import queue
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from certs.bundle.api import ClusterApi
from certs.bundle.interface import targets_of
from certs.ca import rotation, secret
from certs.ca.durations import Durations
from tests.support.certs.installation import SECRET, chart_objects
from tests.support.fake_api import FakeApi
from tests.support.waiting import eventually
from webhook.kube.api.client import Client
from webhook.kube.api.errors import ApiError

MUTATING, VALIDATING = targets_of("hook")
SECRETS = "/api/v1/namespaces/migration/secrets"
ADMISSION = "/apis/admissionregistration.k8s.io/v1"


@pytest.fixture
def cluster(api: FakeApi, client: Client) -> ClusterApi:
    api.add(*chart_objects())
    return ClusterApi(
        client, targets=(MUTATING, VALIDATING), namespace=SECRET.namespace, secret=SECRET.name
    )


def test_a_secret_is_updated_in_the_version_that_was_read(
    api: FakeApi, cluster: ClusterApi
) -> None:
    state = rotation.initialize(datetime(2030, 1, 1, tzinfo=UTC), Durations())
    found = cluster.read_secret()
    cluster.update_secret(secret.store(state, found))
    assert secret.decode(cluster.read_secret()["data"]) == state
    assert api.requests[1].line == f"PUT {SECRETS}/ca?fieldManager=convertor-webhook-certs"
    with pytest.raises(ApiError) as caught:
        cluster.update_secret(secret.store(state, found))
    assert caught.value.status == 409


def test_a_configuration_is_patched_with_its_own_field_manager(
    api: FakeApi, cluster: ClusterApi
) -> None:
    version = cluster.read_configuration(VALIDATING)["metadata"]["resourceVersion"]
    lock = {"op": "replace", "path": "/metadata/resourceVersion", "value": version}
    cluster.patch_configuration(VALIDATING, [lock])
    path = f"{ADMISSION}/validatingwebhookconfigurations/hook"
    assert [request.line for request in api.requests] == [
        f"GET {path}",
        f"PATCH {path}?fieldManager=convertor-webhook-certs",
    ]
    assert api.requests[1].headers["content-type"] == "application/json-patch+json"
    with pytest.raises(ApiError) as caught:
        cluster.patch_configuration(VALIDATING, [lock])
    assert caught.value.status == 409


def test_the_hint_for_a_missing_object_is_helm_upgrade(api: FakeApi, cluster: ClusterApi) -> None:
    api.delete(*SECRET)
    with pytest.raises(ApiError, match=r"'helm upgrade' creates it again$"):
        cluster.read_secret()


def test_a_missing_right_is_named(api: FakeApi, cluster: ClusterApi) -> None:
    api.forbid("patch", user="sa")
    with pytest.raises(ApiError) as caught:
        cluster.patch_configuration(MUTATING, [])
    assert str(caught.value) == (
        "'sa' may not patch mutatingwebhookconfigurations at the cluster scope: it needs a"
        ' ClusterRole with apiGroups: ["admissionregistration.k8s.io"],'
        ' resources: ["mutatingwebhookconfigurations"], verbs: ["patch"]'
    )


@pytest.mark.parametrize(("seconds", "offset"), [(3, 0), (3600, 3600), (-3600, -3600)])
def test_the_clock_offset_is_that_of_the_api_server(
    api: FakeApi, cluster: ClusterApi, seconds: int, offset: int
) -> None:
    """A small offset may be network latency."""
    date = datetime.now(UTC) + timedelta(seconds=seconds)
    api.date = format_datetime(date, usegmt=True)
    cluster.read_secret()
    assert abs(cluster.clock_offset() - timedelta(seconds=offset)) < timedelta(seconds=3)


def test_each_object_has_a_watch_by_name(api: FakeApi, cluster: ClusterApi) -> None:
    changes: queue.Queue[None] = queue.Queue()
    stop = cluster.watch(lambda: changes.put(None))
    eventually(lambda: api.watching == 3)
    for _ in range(3):  # a watch begins with the object as it is
        changes.get(timeout=10)
    api.add(*chart_objects())
    for _ in range(3):
        changes.get(timeout=10)
    stop()
    expected = {"watch": "true", "timeoutSeconds": "300"}
    assert sorted((request.path, request.query) for request in api.requests) == [
        (path, {"fieldSelector": f"metadata.name={name}", **expected})
        for path, name in (
            (SECRETS, "ca"),
            (f"{ADMISSION}/mutatingwebhookconfigurations", "hook"),
            (f"{ADMISSION}/validatingwebhookconfigurations", "hook"),
        )
    ]
