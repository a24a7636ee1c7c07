"""Dry runs of the convertor profile: only a refusal that the profile causes is one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.fake_api import FakeApi, run_fake_api
from webhook.inventory.profile_check import ProfileCheck, check_profile
from webhook.kube.api.client import Client, connect
from webhook.kube.api.errors import ApiError
from webhook.kube.objects import Json
from webhook.model import ConvertorProfile, Installation, ScratchVolume

DEFAULT = {"type": "RuntimeDefault"}
POST = (
    "POST /api/v1/namespaces/vms/pods?dryRun=All&fieldValidation=Strict",
    "GET /apis/storage.k8s.io/v1/storageclasses?fieldSelector=metadata.name%3Dfast",
)
PSA = 'pods "convertor-profile-check" is forbidden: violates PodSecurity "baseline:latest"'
QUOTA = 'pods "convertor-profile-check" is forbidden: exceeded quota: pods'


@pytest.fixture
def cluster() -> Iterator[FakeApi]:
    with run_fake_api() as api:
        yield api


@pytest.fixture
def client(cluster: FakeApi, tmp_path: Path) -> Client:
    return connect(cluster.write_kubeconfig(tmp_path))


def check(client: Client, **profile: Any) -> ProfileCheck:
    installation = Installation(namespace_convertors={"vms": ConvertorProfile(**profile)})
    return check_profile(client, "vms", installation)


def pods_sent(cluster: FakeApi) -> list[Json]:
    return [each.json() for each in cluster.filter_requests("create")]


def test_the_pod_of_a_dry_run_has_the_profile_of_its_namespace(
    client: Client, cluster: FakeApi
) -> None:
    assert check(client, runtime_class="kata", env={"A": "b"}) == ProfileCheck()

    (pod,) = pods_sent(cluster)
    assert cluster.request_lines == [POST[0]]
    assert pod["metadata"]["namespace"] == "vms"
    assert pod["spec"]["runtimeClassName"] == "kata"
    assert pod["spec"]["containers"][0]["env"][-1] == {"name": "A", "value": "b"}
    assert "labels" not in pod["metadata"]
    assert not [key for key in cluster.objects if key[0] == "pods"]


def test_a_profile_may_be_an_annotation(client: Client, cluster: FakeApi) -> None:
    convertor = ConvertorProfile(app_armor=DEFAULT)
    check_profile(client, "vms", Installation(convertor=convertor, kubernetes=29))

    (pod,) = pods_sent(cluster)
    assert [*pod["metadata"]["annotations"].values()] == ["runtime/default"]


@pytest.mark.parametrize(
    ("status", "message"), [(403, PSA), (422, "spec.env: Invalid value"), (400, "unknown field")]
)
def test_a_refusal_is_reported_if_a_pod_without_the_profile_is_accepted(
    client: Client, cluster: FakeApi, status: int, message: str
) -> None:
    cluster.fail("create", status, "pods", message=message)
    found = check(client, seccomp={"type": "Unconfined"})

    assert found.refusal.endswith(message)
    assert not found.unchecked
    with_profile, without = pods_sent(cluster)
    assert with_profile["spec"]["securityContext"]["seccompProfile"] == {"type": "Unconfined"}
    assert without["spec"]["securityContext"]["seccompProfile"] == DEFAULT


def test_a_refusal_of_every_convertor_pod_is_not_one_of_the_profile(
    client: Client, cluster: FakeApi
) -> None:
    cluster.fail("create", 403, "pods", message=QUOTA, times=2)
    found = check(client, runtime_class="kata")

    assert not found.refusal
    assert found.unchecked.startswith("pods without the profile are refused too: the API server")
    assert found.unchecked.endswith(QUOTA)


def test_without_the_right_to_create_pods_there_is_no_result(
    client: Client, cluster: FakeApi
) -> None:
    cluster.forbid("create", "pods")

    assert check(client, runtime_class="kata") == ProfileCheck(
        unchecked="'jane' may not create pods in namespace 'vms': it needs a Role or ClusterRole "
        'with apiGroups: [""], resources: ["pods"], verbs: ["create"]'
    )
    assert len(cluster.requests) == 1


def test_in_a_namespace_that_does_not_exist_there_is_no_result(
    client: Client, cluster: FakeApi
) -> None:
    cluster.fail("create", 404, "pods", message='namespaces "vms" not found')
    found = check(client, runtime_class="kata")

    assert not found.refusal
    assert found.unchecked.endswith('answered 404: namespaces "vms" not found')


@pytest.mark.parametrize("status", [0, 409, 429, 500])
def test_a_request_that_fails_is_an_error(client: Client, cluster: FakeApi, status: int) -> None:
    cluster.fail("create", status, "pods", times=5)

    with pytest.raises(ApiError):
        check(client, runtime_class="kata")


def test_the_storage_class_of_the_scratch_volume_has_to_exist(
    client: Client, cluster: FakeApi
) -> None:
    scratch = ScratchVolume("1Gi", "fast")
    assert check(client, scratch_volume=scratch) == ProfileCheck(
        "StorageClass 'fast' of the scratch volume does not exist, so pods would stay Pending"
    )
    assert cluster.request_lines == [*POST]
    cluster.add({"kind": "StorageClass", "metadata": {"name": "fast"}})
    assert check(client, scratch_volume=scratch) == ProfileCheck()


def test_the_default_class_is_not_looked_up(client: Client, cluster: FakeApi) -> None:
    assert check(client, scratch_volume=ScratchVolume("1Gi")) == ProfileCheck()
    assert cluster.request_lines == [POST[0]]


def test_without_the_right_to_list_classes_there_is_no_result(
    client: Client, cluster: FakeApi
) -> None:
    cluster.forbid("list", "storageclasses")
    found = check(client, scratch_volume=ScratchVolume("1Gi", "fast"))

    assert not found.refusal
    assert found.unchecked.startswith("'jane' may not list storageclasses")


def test_an_error_of_the_classes_is_an_error(client: Client, cluster: FakeApi) -> None:
    cluster.fail("list", 500, "storageclasses")

    with pytest.raises(ApiError):
        check(client, scratch_volume=ScratchVolume("1Gi", "fast"))
