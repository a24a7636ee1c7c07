"""The pods that the API server calls the webhook for, by the selectors in its configuration."""

import functools

import structlog

from webhook.kube.api.client import Client
from webhook.kube.api.errors import ApiError
from webhook.kube.api.namespaces import read_namespace_labels
from webhook.kube.selectors import Labels
from webhook.kube.webhook_selectors import (
    CONFIGURATIONS_PATH,
    WebhookSelectors,
    is_any_called,
    needs_labels,
    read_selectors,
)
from webhook.model import WEBHOOK_NAMES

log = structlog.get_logger()


class WebhookCalls:
    """Evaluates the selectors of the webhooks in a configuration for pods.

    The configuration and the labels of each namespace are read once, when they are needed. Both
    may change, so an instance is for a short time.
    """

    def __init__(self, client: Client, configuration: str) -> None:
        """Read nothing; `configuration` is a name, empty if there is none to read."""
        self._client = client
        self._configuration = configuration
        self._labels: dict[str, Labels | None] = {}

    def includes(self, namespace: str, labels: Labels) -> bool | None:
        """Return whether one of the webhooks is called for a pod with these labels.

        None if that is not known: without a configuration, and without a right, which is logged.

        Raises:
            ApiError: the API server did not answer.

        """
        webhooks = self._webhooks
        if not webhooks:
            return None
        if namespace not in self._labels and any(
            needs_labels(each.namespace, namespace) for each in webhooks
        ):
            self._labels[namespace] = self._read_labels(namespace)
        return is_any_called(webhooks, namespace, self._labels.get(namespace), labels)

    @functools.cached_property
    def _webhooks(self) -> list[WebhookSelectors]:
        """The selectors of the server's webhooks; empty if they are not known."""
        if not self._configuration:
            return []
        path = f"{CONFIGURATIONS_PATH}/{self._configuration}"
        try:
            found = self._client.get_object(path)
        except ApiError as error:
            _raise_unless_hidden(error)
            return []
        return [
            read_selectors(self._configuration, webhook)
            for webhook in found.get("webhooks") or ()
            if webhook.get("name") in WEBHOOK_NAMES
        ]

    def _read_labels(self, namespace: str) -> Labels | None:
        try:
            return read_namespace_labels(self._client, namespace)
        except ApiError as error:
            _raise_unless_hidden(error)
            return None


def _raise_unless_hidden(error: ApiError) -> None:
    """Log that an object cannot be read or does not exist, or raise another error."""
    if error.status not in (403, 404):
        raise error
    message = "pods may be reported as missed for which the webhook is not called"
    log.warning(message, reason=str(error))
