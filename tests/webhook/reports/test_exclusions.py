"""Namespaces that the installed webhooks exclude, with what to change."""

import pytest

from webhook.kube.objects import Json
from webhook.kube.webhook_selectors import NAME_LABEL, WebhookSelectors
from webhook.reports.exclusions import InstalledWebhooks

NOT_NAMED: Json = {"key": NAME_LABEL, "operator": "NotIn", "values": ["kube-system", "infra"]}
BY_LABEL = "label the namespace, or change the chart's value webhook.namespaceSelector"


def installed(*expressions: Json, labels: dict[str, str] | None = None) -> InstalledWebhooks:
    selector = {"matchExpressions": list(expressions)}
    webhook = WebhookSelectors("c", selector, service_namespace="infra")
    return InstalledWebhooks([webhook], {"vms": labels})


@pytest.mark.parametrize(
    ("expression", "labels", "requirement", "remedy", "command"),
    [
        (
            {"key": "team", "operator": "In", "values": ["a", "b"]},
            {},
            "team in (a,b)",
            BY_LABEL,
            "kubectl label namespace vms team=a",
        ),
        (
            {"key": "team", "operator": "In", "values": ["a"]},
            {"team": "x"},
            "team=a",
            BY_LABEL,
            "kubectl label namespace vms team=a --overwrite",
        ),
        (
            {"key": "team", "operator": "Exists"},
            {},
            "team",
            BY_LABEL,
            "kubectl label namespace vms team=VALUE",
        ),
        (
            {"key": "team", "operator": "DoesNotExist"},
            {"team": "x"},
            "!team",
            BY_LABEL,
            "kubectl label namespace vms team-",
        ),
        (
            {"key": NAME_LABEL, "operator": "In", "values": ["shop"]},
            {},
            "kubernetes.io/metadata.name=shop",
            "change the chart's value webhook.namespaceSelector",
            "",
        ),
    ],
)
def test_the_remedy_is_a_label_or_a_value_of_the_chart(
    expression: Json, labels: dict[str, str], requirement: str, remedy: str, command: str
) -> None:
    (found,) = installed(expression, labels=labels).list_exclusions("vms")
    cause = "the namespaceSelector of MutatingWebhookConfiguration 'c' requires"
    assert (found.namespace, found.cause) == ("vms", f"{cause} {requirement}")
    assert (found.remedy, found.command) == (remedy, command)


@pytest.mark.parametrize(
    ("namespace", "remedy"),
    [
        ("kube-system", "remove it from the chart's value webhook.excludedNamespaces"),
        ("infra", "set the chart's value webhook.excludeReleaseNamespace to false"),
    ],
)
def test_a_namespace_that_is_excluded_by_name_is_in_a_value_of_the_chart(
    namespace: str, remedy: str
) -> None:
    (found,) = installed(NOT_NAMED).list_exclusions(namespace)
    assert str(found) == (
        f"namespace '{namespace}' is excluded from the webhook, so nothing is placed there: the "
        "namespaceSelector of MutatingWebhookConfiguration 'c' requires "
        f"kubernetes.io/metadata.name notin (kube-system,infra); {remedy}"
    )


def test_the_message_has_the_command() -> None:
    (found,) = installed({"key": "team", "operator": "Exists"}, labels={}).list_exclusions("vms")
    assert str(found).endswith(f"; {BY_LABEL}: kubectl label namespace vms team=VALUE")


@pytest.mark.parametrize("namespace", ["vms", ""])
def test_a_namespace_is_not_excluded_if_that_is_not_known(namespace: str) -> None:
    webhooks = installed({"key": "team", "operator": "Exists"}, labels=None)
    assert webhooks.list_exclusions(namespace) == []
    assert webhooks.is_called(namespace, {}) is None


def test_a_namespace_is_excluded_only_if_all_webhooks_exclude_it() -> None:
    named = [
        WebhookSelectors(name, {"matchLabels": {NAME_LABEL: name}}) for name in ("vms", "shop")
    ]
    webhooks = InstalledWebhooks(named)
    assert webhooks.list_exclusions("vms") == webhooks.list_exclusions("shop") == []
    assert [webhooks.is_called(name, {}) for name in ("vms", "shop", "other")] == [
        True,
        True,
        False,
    ]
    assert len(webhooks.list_exclusions("other")) == 2


def test_webhooks_of_a_release_that_exclude_a_namespace_alike_are_reported_once() -> None:
    apps: list[Json] = [{"matchLabels": {"app": name}} for name in ("convertor", "importer")]
    webhooks = InstalledWebhooks(
        [WebhookSelectors("c", {"matchExpressions": [NOT_NAMED]}, each) for each in apps]
    )
    assert len(webhooks.list_exclusions("kube-system")) == 1
    assert [webhooks.is_called("vms", {"app": app}) for app in ("importer", "other")] == [
        True,
        False,
    ]


def test_without_a_webhook_none_is_called_and_no_namespace_is_excluded() -> None:
    assert InstalledWebhooks().list_exclusions("vms") == []
    assert InstalledWebhooks().is_called("vms", {}) is False


def test_conditions_of_the_administrator_are_listed() -> None:
    webhooks = InstalledWebhooks(
        [
            WebhookSelectors("a", conditions=["not-a-mirror-pod"]),
            WebhookSelectors("a", conditions=["not-a-mirror-pod", "importer-of-a-pvc"]),
            WebhookSelectors("a", conditions=["not-a-mirror-pod", "populator-by-name"]),
            WebhookSelectors("b", conditions=["not-a-mirror-pod", "from-forklift", "vmware"]),
        ]
    )
    assert list(webhooks.list_conditions()) == [
        "the matchConditions of MutatingWebhookConfiguration 'b': from-forklift, vmware"
    ]
