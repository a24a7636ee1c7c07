"""The convertor profile is checked at the start, where plans migrate to, and logged on changes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from tests.support.fake_api import FakeApi, run_fake_api
from tests.support.waiting import eventually
from webhook.inventory.profile_watch import ProfilesStatus, ProfileTiming, ProfileWatch
from webhook.kube.api.client import Client, connect
from webhook.kube.api.errors import ApiError
from webhook.model import ConvertorProfile, Installation

PROFILE = ConvertorProfile(runtime_class="kata")
REFUSED = "the namespace refuses convertor pods with the convertor profile"


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[EventDict]]:
    with capture_logs() as lines:
        yield lines


@pytest.fixture
def cluster() -> Iterator[FakeApi]:
    with run_fake_api() as api:
        yield api


@pytest.fixture
def client(cluster: FakeApi, tmp_path: Path) -> Client:
    return connect(cluster.write_kubeconfig(tmp_path))


def watch(client: Client, *targets: str, installation: Installation | None = None) -> ProfileWatch:
    installation = installation or Installation(convertor=PROFILE)
    return ProfileWatch(client, installation, lambda: targets, ProfileTiming(0.002, 0.002))


def checked(cluster: FakeApi) -> list[str]:
    return [request.namespace for request in cluster.filter_requests("create")]


def refuse(cluster: FakeApi, namespace: str) -> None:
    """Refuse the next pod in a namespace, that with the profile."""
    cluster.fail("create", 403, "pods", namespace=namespace, message="no")


def test_every_namespace_with_a_profile_is_checked(client: Client, cluster: FakeApi) -> None:
    installation = Installation(
        convertor=PROFILE,
        namespace_convertors={"none": ConvertorProfile(), "own": ConvertorProfile(env={"A": "b"})},
    )
    profiles = watch(client, "vms", "none", "", "A/b", "vms", installation=installation)

    assert profiles.check()
    assert checked(cluster) == ["own", "vms"]
    assert profiles.status() == ProfilesStatus(refused=0, unchecked=0)


def test_nothing_is_checked_until_the_plans_have_been_read(
    client: Client, cluster: FakeApi
) -> None:
    profiles = ProfileWatch(client, Installation(convertor=PROFILE), lambda: None)

    assert not profiles.check()
    assert not cluster.requests


def test_a_refusal_is_logged_once_and_so_is_its_end(
    client: Client, cluster: FakeApi, logs: list[EventDict]
) -> None:
    profiles = watch(client, "vms", "other")
    for _ in range(2):
        refuse(cluster, "vms")
        profiles.check()
        assert profiles.status() == ProfilesStatus(refused=1, unchecked=0)
    profiles.check()
    profiles.check()

    assert profiles.status() == ProfilesStatus(refused=0, unchecked=0)
    assert logs == [
        {
            "event": REFUSED,
            "namespace": "vms",
            "reason": f"{cluster.server} forbids it: no",
            "log_level": "error",
        },
        {
            "event": "the namespace accepts the convertor profile",
            "namespace": "vms",
            "log_level": "info",
        },
    ]


def test_a_missing_right_is_one_line_for_all_namespaces(
    client: Client, cluster: FakeApi, logs: list[EventDict]
) -> None:
    cluster.forbid("create", "pods")
    profiles = watch(client, *(f"vms-{number}" for number in range(7)))
    profiles.check()
    profiles.check()

    assert profiles.status() == ProfilesStatus(refused=0, unchecked=7)
    (line,) = logs
    assert line["log_level"] == "warning"
    assert line["namespaces"] == "vms-0, vms-1, vms-2, vms-3, vms-4, 2 more"
    assert line["reason"].startswith("'jane' may not create pods in namespace 'vms-0': it needs a")


def test_results_are_kept_while_the_api_server_fails(client: Client, cluster: FakeApi) -> None:
    profiles = watch(client, "vms")
    refuse(cluster, "vms")
    profiles.check()
    cluster.fail("create", 500, "pods")

    with pytest.raises(ApiError):
        profiles.check()
    assert profiles.status() == ProfilesStatus(refused=1, unchecked=0)


def test_it_is_checked_in_a_thread_again_and_again_after_errors(
    client: Client, cluster: FakeApi, logs: list[EventDict]
) -> None:
    cluster.fail("create", 500, "pods", message="down", times=3)
    profiles = watch(client, "vms")
    profiles.start()
    eventually(lambda: len(checked(cluster)) > 4)
    profiles.stop()

    (line,) = logs
    assert line["event"] == "the convertor profile is not checked"
    assert line["reason"].endswith("answered 500: down")


def test_an_internal_error_is_logged_and_does_not_end_the_checks(
    client: Client, cluster: FakeApi, logs: list[EventDict]
) -> None:
    left = [ValueError("fault")]

    def targets() -> list[str]:
        if left:
            raise left.pop()
        return ["vms"]

    profiles = ProfileWatch(
        client, Installation(convertor=PROFILE), targets, ProfileTiming(0.002, 0.002)
    )
    profiles.start()
    eventually(lambda: checked(cluster))
    profiles.stop()

    (line,) = logs
    assert line["exc_info"]
