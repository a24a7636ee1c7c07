"""A release is found by any of its webhooks."""

import pytest

from tests.support.fake_api import FakeApi
from tests.support.releases import CONFIGURATION, release
from webhook.cli.release.find import find_releases
from webhook.kube.api.client import Client
from webhook.kube.objects import Json
from webhook.model import WEBHOOK_NAMES


def install(api: FakeApi, *names: str) -> None:
    """Install a release with these webhooks; that of the pods of Forklift rejects."""
    configuration, config_map = release()
    (webhook,) = configuration["webhooks"]
    selectors: dict[str, Json] = {name: {"matchLabels": {"webhook": name}} for name in names}
    configuration["webhooks"] = [
        webhook
        | {
            "name": name,
            "objectSelector": selectors[name],
            "failurePolicy": "Fail" if name.startswith("pods.") else "Ignore",
        }
        for name in names
    ]
    api.add(configuration, config_map)


@pytest.mark.parametrize(
    ("names", "failure_policy"),
    [
        (WEBHOOK_NAMES, "Fail"),
        (tuple(reversed(WEBHOOK_NAMES)), "Fail"),
        (WEBHOOK_NAMES[:1], "Fail"),
        (WEBHOOK_NAMES[1:], "Ignore"),
        (WEBHOOK_NAMES[2:], "Ignore"),
    ],
)
def test_the_webhooks_of_a_configuration_are_one_release(
    api: FakeApi, client: Client, names: tuple[str, ...], failure_policy: str
) -> None:
    install(api, *names, "other.example.com")
    unread: list[str] = []
    (found,) = find_releases(client, unread) or []
    assert (found.configuration, found.failure_policy) == (CONFIGURATION, failure_policy)
    assert found.installation is not None
    assert [each.object["matchLabels"]["webhook"] for each in found.selectors] == [
        name for name in WEBHOOK_NAMES if name in names
    ]
    assert unread == []


def test_webhooks_of_others_are_no_release(api: FakeApi, client: Client) -> None:
    install(api, "other.example.com")
    assert find_releases(client, []) == []
