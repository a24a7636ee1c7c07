"""The selectors of the installed webhooks, and the labels of the namespaces that they select."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from webhook.cli.release.find import Release
from webhook.forklift.plan import NAME_PATTERN
from webhook.kube.api.errors import ApiError
from webhook.kube.api.namespaces import read_namespace_labels
from webhook.kube.selectors import Labels
from webhook.kube.webhook_selectors import needs_labels
from webhook.reports.exclusions import InstalledWebhooks

if TYPE_CHECKING:
    from webhook.kube.api.client import Client


def read_webhooks(
    client: "Client", installed: list[Release] | None, targets: Iterable[str], unread: list[str]
) -> InstalledWebhooks:
    """Read the labels of target namespaces, if their names are not enough for the selectors.

    Labels that RBAC hides are None, with the consequence in `unread`.

    Raises:
        ApiError: the API server did not answer.

    """
    selectors = [each for release in installed or () for each in release.selectors]
    labels = {
        name: _read_labels(client, name, unread)
        for name in sorted(set(targets))
        if NAME_PATTERN.fullmatch(name)
        and any(needs_labels(each.namespace, name) for each in selectors)
    }
    return InstalledWebhooks(selectors, labels)


def _read_labels(client: "Client", name: str, unread: list[str]) -> Labels | None:
    try:
        return read_namespace_labels(client, name)
    except ApiError as error:
        if error.status != 403:
            raise
        unread.append(f"{error}; whether the webhook is called in namespace '{name}' is not known")
        return None
