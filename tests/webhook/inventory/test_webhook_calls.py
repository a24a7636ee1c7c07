"""The server finds the pods that it is called for in its own configuration."""

import pytest
from structlog.testing import capture_logs

from tests.support.builders import namespace
from tests.support.fake_api import FakeApi
from tests.support.releases import CONFIGURATION, release
from webhook.inventory.webhook_calls import WebhookCalls
from webhook.kube.api.client import Client
from webhook.kube.api.errors import ApiError
from webhook.kube.objects import Json

OPT_IN: Json = {"namespaceSelector": {"matchLabels": {"convertor": "on"}}}
BY_NAME = {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["kube-system"]}
NOT_KNOWN = "pods may be reported as missed for which the webhook is not called"


def install(api: FakeApi, **selectors: Json) -> None:
    api.add(*release(selectors=selectors))


@pytest.fixture
def calls(client: Client) -> WebhookCalls:
    return WebhookCalls(client, CONFIGURATION)


def test_the_labels_of_each_namespace_are_read_once(api: FakeApi, calls: WebhookCalls) -> None:
    install(api, **OPT_IN)
    api.add(namespace("on", convertor="on"), namespace("off"))
    for _ in range(3):
        assert [calls.includes(name, {}) for name in ("on", "off", "absent")] == [
            True,
            False,
            False,
        ]
    assert len(api.requests) == 4


def test_a_selector_for_names_needs_no_labels(api: FakeApi, calls: WebhookCalls) -> None:
    install(api, namespaceSelector={"matchExpressions": [BY_NAME]})
    assert [calls.includes(name, {}) for name in ("vms", "kube-system")] == [True, False]
    assert len(api.requests) == 1


def test_the_object_selector_is_evaluated(api: FakeApi, calls: WebhookCalls) -> None:
    install(api, objectSelector={"matchLabels": {"team": "a"}})
    assert [calls.includes("vms", {"team": team}) for team in ("a", "b")] == [True, False]


def test_a_pod_is_included_if_one_of_the_webhooks_is_called(
    api: FakeApi, calls: WebhookCalls
) -> None:
    (configuration, _) = release(selectors={"objectSelector": {"matchLabels": {"app": "pods"}}})
    (pods,) = configuration["webhooks"]
    for name in ("importers", "populators"):
        configuration["webhooks"].append(
            pods
            | OPT_IN
            | {
                "name": f"{name}.convertor.forklift.konveyor.io",
                "objectSelector": {"matchLabels": {"app": name}},
            }
        )
    api.add(configuration, namespace("on", convertor="on"), namespace("off"))
    included = {
        (where, app): calls.includes(where, {"app": app})
        for where in ("on", "off")
        for app in ("pods", "importers", "populators", "others")
    }
    assert [each for each, is_included in included.items() if is_included] == [
        ("on", "pods"),
        ("on", "importers"),
        ("on", "populators"),
        ("off", "pods"),
    ]
    assert None not in included.values()


def test_without_a_configuration_nothing_is_read(api: FakeApi, client: Client) -> None:
    assert WebhookCalls(client, "").includes("vms", {}) is None
    assert api.requests == []


@pytest.mark.parametrize("resource", ["mutatingwebhookconfigurations", "namespaces"])
def test_a_missing_right_is_logged_once(api: FakeApi, calls: WebhookCalls, resource: str) -> None:
    install(api, **OPT_IN)
    api.forbid("get", resource)
    with capture_logs() as lines:
        assert [calls.includes("vms", {}) for _ in range(2)] == [None, None]
    (line,) = lines
    assert (line["event"], line["log_level"]) == (NOT_KNOWN, "warning")
    assert f"may not get {resource} at the cluster scope" in line["reason"]


def test_a_configuration_that_does_not_exist_is_logged(calls: WebhookCalls) -> None:
    with capture_logs() as lines:
        assert calls.includes("vms", {}) is None
    assert [line["event"] for line in lines] == [NOT_KNOWN]


def test_a_configuration_of_another_webhook_is_ignored(api: FakeApi, calls: WebhookCalls) -> None:
    (configuration, _) = release(selectors={"name": "other.example.com", **OPT_IN})
    api.add(configuration)
    assert calls.includes("vms", {}) is None


@pytest.mark.parametrize("resource", ["mutatingwebhookconfigurations", "namespaces"])
def test_an_error_of_the_api_server_is_raised_and_the_next_read_may_succeed(
    api: FakeApi, calls: WebhookCalls, resource: str
) -> None:
    install(api, **OPT_IN)
    api.fail("get", 500, resource)
    with pytest.raises(ApiError, match="answered 500"):
        calls.includes("vms", {})
    assert calls.includes("vms", {}) is False
