"""The API server calls a webhook for the objects that its selectors match."""

import pytest

from webhook.kube.objects import Json
from webhook.kube.selectors import Labels, format_requirement
from webhook.kube.webhook_selectors import (
    NAME_LABEL,
    WebhookSelectors,
    is_any_called,
    is_called,
    list_unmet_by_namespace,
    read_selectors,
)


def requirement(key: str, operator: str, *values: str) -> Json:
    return {"key": key, "operator": operator} | ({"values": list(values)} if values else {})


OPT_IN = requirement("team", "In", "a")
BY_NAME = requirement(NAME_LABEL, "NotIn", "kube-system", "infra")
BOTH: Json = {"matchLabels": {"team": "a"}, "matchExpressions": [BY_NAME]}


@pytest.mark.parametrize(
    ("selector", "labels", "unmet"),
    [
        ({}, {}, []),
        ({"matchLabels": None, "matchExpressions": None}, None, []),
        ({"matchLabels": {"team": "a"}}, {"team": "a"}, []),
        ({"matchLabels": {"team": "a"}}, {"team": "b"}, [OPT_IN]),
        ({"matchLabels": {"team": "a"}}, {}, [OPT_IN]),
        ({"matchLabels": {"team": "a"}}, None, None),
        ({"matchExpressions": [BY_NAME]}, None, []),
        ({"matchLabels": {NAME_LABEL: "vms"}}, None, []),
        ({"matchLabels": {NAME_LABEL: "vms"}}, {NAME_LABEL: "another"}, []),
        (BOTH, {"team": "a"}, []),
        (BOTH, None, None),
    ],
)
def test_a_namespace_has_its_labels_and_its_name(
    selector: Json, labels: Labels | None, unmet: list[Json] | None
) -> None:
    assert list_unmet_by_namespace(selector, "vms", labels) == unmet


def test_a_name_that_is_excluded_needs_no_labels() -> None:
    assert list_unmet_by_namespace(BOTH, "infra", None) == [BY_NAME]
    assert list_unmet_by_namespace(BOTH, "infra", {}) == [OPT_IN, BY_NAME]


@pytest.mark.parametrize(
    ("namespace_labels", "labels", "called"),
    [
        ({"team": "a"}, {"app": "x"}, True),
        ({"team": "a"}, {"app": "y"}, False),
        ({}, {"app": "x"}, False),
        (None, {"app": "x"}, None),
        (None, {}, False),
    ],
)
def test_both_selectors_must_match(
    namespace_labels: Labels | None, labels: Labels, called: bool | None
) -> None:
    selectors = WebhookSelectors("c", BOTH, {"matchLabels": {"app": "x"}})
    assert is_called(selectors, "vms", namespace_labels, labels) is called


@pytest.mark.parametrize(
    ("namespace_labels", "labels", "called"),
    [
        ({}, {"app": "x"}, True),
        ({"team": "a"}, {"app": "y"}, True),
        ({}, {"app": "y"}, False),
        (None, {"app": "x"}, True),
        (None, {"app": "y"}, None),
        (None, {"app": "z"}, False),
    ],
)
def test_an_object_is_sent_if_one_of_several_webhooks_is_called(
    namespace_labels: Labels | None, labels: Labels, called: bool | None
) -> None:
    webhooks = [
        WebhookSelectors("c", {}, {"matchLabels": {"app": "x"}}),
        WebhookSelectors("c", BOTH, {"matchLabels": {"app": "y"}}),
    ]
    assert is_any_called(webhooks, "vms", namespace_labels, labels) is called
    assert is_any_called([], "vms", namespace_labels, labels) is False


def test_absent_selectors_select_everything() -> None:
    selectors = read_selectors("c", {"clientConfig": {"url": "https://x"}})
    assert selectors == WebhookSelectors("c")
    assert is_called(selectors, "vms", None, {}) is True


def test_selectors_are_read_from_a_configuration() -> None:
    webhook = {
        "clientConfig": {"service": {"namespace": "infra", "name": "x"}},
        "namespaceSelector": BOTH,
        "objectSelector": {"matchLabels": {"app": "x"}},
        "matchConditions": [{"name": "from-forklift", "expression": "true"}],
    }
    assert read_selectors("c", webhook) == WebhookSelectors(
        "c", BOTH, {"matchLabels": {"app": "x"}}, ["from-forklift"], "infra"
    )


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (OPT_IN, "team=a"),
        (requirement("team", "In", "a", "b"), "team in (a,b)"),
        (BY_NAME, "kubernetes.io/metadata.name notin (kube-system,infra)"),
        (requirement("team", "Exists"), "team"),
        (requirement("team", "DoesNotExist"), "!team"),
    ],
)
def test_a_requirement_is_formatted_as_in_kubectl(written: Json, text: str) -> None:
    assert format_requirement(written) == text
