"""Dry runs of the convertor profile on the real API server."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.system.controlplane.api import Api
from tests.system.controlplane.cluster import ControlPlane
from tests.system.e2e.preparation import add_namespace
from webhook.inventory.profile_check import ProfileCheck, check_profile
from webhook.kube.api.client import Client, connect
from webhook.model import ConvertorProfile, Installation, ScratchVolume

PRIVILEGED, BASELINE, RESTRICTED = "profile-privileged", "profile-baseline", "profile-restricted"
LIMITED = "profile-limited"
NAMESPACES = (PRIVILEGED, BASELINE, RESTRICTED, LIMITED)
LOCALHOST = {"type": "Localhost", "localhostProfile": "profiles/unshare.json"}
UNCONFINED = {"type": "Unconfined"}
RUNTIME_CLASSES = "apis/node.k8s.io/v1/runtimeclasses"
RUNTIME_CLASS = {
    "apiVersion": "node.k8s.io/v1",
    "kind": "RuntimeClass",
    "metadata": {"name": "profile-check"},
    "handler": "kata",
    "overhead": {"podFixed": {"memory": "160Mi"}},
}


@pytest.fixture(scope="module", autouse=True)
def namespaces(api: Api) -> Iterator[None]:
    for name in NAMESPACES:
        level = "privileged" if name == LIMITED else name.removeprefix("profile-")
        add_namespace(api, name, {"pod-security.kubernetes.io/enforce": level})
    limits = [{"type": "Container", "max": {"memory": "4Gi"}}]
    limit_range = {"metadata": {"name": "limits"}, "spec": {"limits": limits}}
    for where, body in (
        (f"api/v1/namespaces/{LIMITED}/limitranges", limit_range),
        (RUNTIME_CLASSES, RUNTIME_CLASS),
    ):
        api.send("POST", where, body).raise_for_status()
    yield
    api.send("DELETE", f"{RUNTIME_CLASSES}/profile-check").raise_for_status()


@pytest.fixture
def client(plane: ControlPlane) -> Client:
    return connect(plane.kubeconfig("profile-check", plane.admin_token))


def check(client: Client, namespace: str, **profile: Any) -> ProfileCheck:
    return check_profile(client, namespace, Installation(convertor=ConvertorProfile(**profile)))


@pytest.mark.parametrize("namespace", [PRIVILEGED, BASELINE, RESTRICTED])
def test_a_whole_profile_is_accepted_at_each_level_of_pod_security(
    client: Client, api: Api, namespace: str
) -> None:
    found = check(
        client,
        namespace,
        seccomp=LOCALHOST,
        app_armor=LOCALHOST,
        env={"LIBGUESTFS_BACKEND": "direct"},
        runtime_class="profile-check",
        scratch_volume=ScratchVolume("100Gi"),
    )

    assert found == ProfileCheck()
    assert api.list("Pod", namespace) == []


@pytest.mark.parametrize("field", ["seccomp", "app_armor"])
@pytest.mark.parametrize("namespace", [BASELINE, RESTRICTED])
def test_an_unconfined_profile_is_refused_by_pod_security(
    client: Client, namespace: str, field: str
) -> None:
    profile: dict[str, Any] = {field: UNCONFINED}
    found = check(client, namespace, **profile)

    assert "violates PodSecurity" in found.refusal
    assert "Unconfined" in found.refusal
    assert not found.unchecked
    assert check(client, PRIVILEGED, **profile) == ProfileCheck()


@pytest.mark.parametrize(
    ("profile", "reason"),
    [
        ({"runtime_class": "absent"}, 'RuntimeClass "absent" not found'),
        (
            {"seccomp": {"type": "Localhost", "localhostProfile": "../x"}},
            "must not contain '..'",
        ),
        ({"scratch_volume": ScratchVolume("1Gi", "absent")}, "StorageClass 'absent' of the scra"),
    ],
)
def test_a_wrong_value_is_refused(client: Client, profile: dict[str, Any], reason: str) -> None:
    found = check(client, PRIVILEGED, **profile)

    assert reason in found.refusal


def test_a_namespace_that_refuses_every_convertor_pod_has_no_result(client: Client) -> None:
    found = check(client, LIMITED, runtime_class="absent")

    assert not found.refusal
    assert found.unchecked.startswith("pods without the profile are refused too: ")
    assert "maximum memory usage per Container is 4Gi, but limit is 8Gi" in found.unchecked


def test_a_namespace_that_does_not_exist_has_no_result(client: Client) -> None:
    found = check(client, "profile-absent", runtime_class="profile-check")

    assert found.unchecked.endswith('namespaces "profile-absent" not found')


def test_without_the_right_to_create_pods_there_is_no_result(plane: ControlPlane) -> None:
    scheduler = connect(plane.folder / "kube-scheduler.kubeconfig")
    found = check(scheduler, PRIVILEGED, runtime_class="profile-check")

    assert not found.refusal
    assert found.unchecked.startswith(
        f"'system:kube-scheduler' may not create pods in namespace '{PRIVILEGED}'"
    )
