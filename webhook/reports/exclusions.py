"""Namespaces for whose pods the installed webhooks are not called, and what to change."""

from collections.abc import Iterator, Mapping

import msgspec

from webhook.kube.commands import CURRENT_CONTEXT, KubectlFlags, join_words
from webhook.kube.objects import Json
from webhook.kube.selectors import Labels, format_requirement
from webhook.kube.webhook_selectors import (
    NAME_LABEL,
    WebhookSelectors,
    is_any_called,
    list_unmet_by_namespace,
)

_CHART_CONDITIONS = ("not-a-mirror-pod", "importer-of-a-pvc", "populator-by-name")
"""The matchConditions of the chart, which every pod of a migration meets."""


class Exclusion(msgspec.Struct, frozen=True):
    """A requirement of a webhook's `namespaceSelector` that a namespace does not meet."""

    namespace: str
    cause: str
    remedy: str
    command: str = ""
    """The kubectl command for the remedy, or empty; the user replaces words in capitals."""

    def __str__(self) -> str:
        command = f": {self.command}" if self.command else ""
        return f"{describe_exclusion(self.namespace)}: {self.cause}; {self.remedy}{command}"


def describe_exclusion(namespace: str) -> str:
    """Return the consequence for the pods of an excluded namespace."""
    return f"namespace '{namespace}' is excluded from the webhook, so nothing is placed there"


class InstalledWebhooks(msgspec.Struct, frozen=True):
    """The webhooks of a cluster, and the labels of namespaces that their selectors need."""

    selectors: list[WebhookSelectors] = []
    namespace_labels: Mapping[str, Labels | None] = {}
    """By name. None if they cannot be read; a namespace that does not exist has none, because
    Forklift creates it without labels."""

    def list_exclusions(
        self, namespace: str, flags: KubectlFlags = CURRENT_CONTEXT
    ) -> list[Exclusion]:
        """Return the reasons why no webhook is called for the pods of a namespace.

        There are none if a webhook is called, if that is not known, and without a webhook. A plan
        without a target namespace has no pods: Forklift rejects it. `flags` select the cluster in
        commands.
        """
        labels = self.namespace_labels.get(namespace)
        exclusions: list[Exclusion] = []
        for webhook in self.selectors if namespace else ():
            unmet = list_unmet_by_namespace(webhook.namespace, namespace, labels)
            if not unmet:
                return []
            exclusions += (_make_exclusion(each, webhook, namespace, labels) for each in unmet)
        return [
            msgspec.structs.replace(each, command=flags.append_to(each.command))
            for each in dict.fromkeys(exclusions)
        ]

    def is_called(self, namespace: str, labels: Labels) -> bool | None:
        """Return whether a webhook is called for a pod with these labels; None if not known."""
        known = self.namespace_labels.get(namespace)
        return is_any_called(self.selectors, namespace, known, labels)

    def list_conditions(self) -> Iterator[str]:
        """Yield a text for each webhook with `matchConditions` besides that of the chart."""
        for webhook in self.selectors:
            if names := [name for name in webhook.conditions if name not in _CHART_CONDITIONS]:
                yield (
                    f"the matchConditions of MutatingWebhookConfiguration "
                    f"'{webhook.configuration}': {', '.join(names)}"
                )


def _make_exclusion(
    requirement: Json, webhook: WebhookSelectors, namespace: str, labels: Labels | None
) -> Exclusion:
    cause = (
        f"the namespaceSelector of MutatingWebhookConfiguration '{webhook.configuration}' requires "
        f"{format_requirement(requirement)}"
    )
    key, operator = requirement["key"], requirement["operator"]
    if key == NAME_LABEL:
        return Exclusion(namespace, cause, _include_name(operator, namespace, webhook))
    match operator:
        case "In":
            change = f"{key}={requirement['values'][0]}"
        case "Exists":
            change = f"{key}=VALUE"
        case _:
            change = f"{key}-"
    overwrite = ["--overwrite"] if operator == "In" and key in (labels or {}) else []
    return Exclusion(
        namespace,
        cause,
        "label the namespace, or change the chart's value webhook.namespaceSelector",
        join_words("kubectl", ["label", "namespace", namespace, change, *overwrite]),
    )


def _include_name(operator: str, namespace: str, webhook: WebhookSelectors) -> str:
    """Return how to change a requirement for the name, which a label cannot change."""
    if operator != "NotIn":
        return "change the chart's value webhook.namespaceSelector"
    if namespace == webhook.service_namespace:
        return "set the chart's value webhook.excludeReleaseNamespace to false"
    return "remove it from the chart's value webhook.excludedNamespaces"
