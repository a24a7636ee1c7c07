"""The selectors of an admission webhook: the objects for which the API server calls it.

Follows `predicates` in `k8s.io/apiserver/pkg/admission/plugin/webhook`. Not evaluated are the
webhook's rules, and its `matchConditions` in CEL, which may depend on the user who sends a request.
"""

from collections.abc import Iterable

import msgspec

from webhook.kube.objects import Json, nested_string
from webhook.kube.selectors import Labels, expression_matches, list_requirements

CONFIGURATIONS_PATH = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
NAME_LABEL = "kubernetes.io/metadata.name"
"""The label that every namespace has, with its name; the API server does not let it change."""


class WebhookSelectors(msgspec.Struct, frozen=True):
    """The selectors of a webhook in a MutatingWebhookConfiguration."""

    configuration: str
    """Name of the configuration."""
    namespace: Json = {}
    """A LabelSelector for the namespace of the object; empty selects all."""
    object: Json = {}
    """A LabelSelector for the object; empty selects all."""
    conditions: list[str] = []
    """The names of its `matchConditions`."""
    service_namespace: str = ""
    """Empty if the webhook is called by URL."""


def read_selectors(configuration: str, webhook: Json) -> WebhookSelectors:
    """Return the selectors of an entry of `webhooks`; an absent one selects everything."""
    return WebhookSelectors(
        configuration,
        webhook.get("namespaceSelector") or {},
        webhook.get("objectSelector") or {},
        [condition["name"] for condition in webhook.get("matchConditions") or ()],
        nested_string(webhook, "clientConfig", "service", "namespace"),
    )


def list_unmet_requirements(selector: Json, labels: Labels) -> list[Json]:
    """Return the requirements that labels do not meet, in the form of `matchExpressions`."""
    return [each for each in list_requirements(selector) if not expression_matches(each, labels)]


def list_unmet_by_namespace(selector: Json, name: str, labels: Labels | None) -> list[Json] | None:
    """Return the requirements that a namespace does not meet; None if that is not known.

    Labels that are None are not known, except the one with the name.
    """
    unmet = list_unmet_requirements(selector, {**(labels or {}), NAME_LABEL: name})
    if labels is None and any(each["key"] != NAME_LABEL for each in list_requirements(selector)):
        return [each for each in unmet if each["key"] == NAME_LABEL] or None
    return unmet


def needs_labels(selector: Json, name: str) -> bool:
    """Return whether a selector needs the labels of a namespace, because its name does not do."""
    return list_unmet_by_namespace(selector, name, None) is None


def is_called(
    selectors: WebhookSelectors,
    namespace: str,
    namespace_labels: Labels | None,
    object_labels: Labels,
) -> bool | None:
    """Return whether the API server calls a webhook for an object; None if that is not known."""
    if list_unmet_requirements(selectors.object, object_labels):
        return False
    unmet = list_unmet_by_namespace(selectors.namespace, namespace, namespace_labels)
    return None if unmet is None else not unmet


def is_any_called(
    webhooks: Iterable[WebhookSelectors],
    namespace: str,
    namespace_labels: Labels | None,
    object_labels: Labels,
) -> bool | None:
    """Return whether the API server calls one of the webhooks for an object; None if not known."""
    results = {is_called(each, namespace, namespace_labels, object_labels) for each in webhooks}
    if True in results:
        return True
    return None if None in results else False
