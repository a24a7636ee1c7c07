"""The labels of a namespace."""

from typing import TYPE_CHECKING

from webhook.kube.api.errors import ApiError
from webhook.kube.objects import labels_of
from webhook.kube.selectors import Labels

if TYPE_CHECKING:
    from webhook.kube.api.client import Client


def read_namespace_labels(client: "Client", name: str) -> Labels:
    """Return the labels of a namespace; none if it does not exist.

    Forklift creates a target namespace that does not exist, without labels.

    Raises:
        ApiError: the request failed for another reason.

    """
    try:
        return labels_of(client.get_object(f"/api/v1/namespaces/{name}"))
    except ApiError as error:
        if error.status == 404:
            return {}
        raise
