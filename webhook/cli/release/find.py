"""What is installed in a cluster, as far as the rights of whoever asks reach."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click
import msgspec
from click.core import ParameterSource

from webhook.cli.options.cluster import items
from webhook.cli.release.deployment import CONTAINER, Unclear, read_installation
from webhook.kube.api.errors import ApiError
from webhook.kube.objects import Json
from webhook.model import Installation

if TYPE_CHECKING:
    from webhook.kube.api.client import Client

CONFIGURATIONS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
WEBHOOK = "pods.convertor.forklift.konveyor.io"
"""The name of the webhook in its configuration, whatever the release is called."""

_FIELDS = {
    "mode": "mode",
    "namespace_mode": "namespace_modes",
    "plan_modes": "plan_modes",
    "scope": "scope",
    "on_error": "on_error",
    "identity_labels": "identity_labels",
    "annotation_prefix": "prefix",
    "defaults": "defaults",
}
"""Fields of an Installation, by the flags that set them."""


class Installed(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A release of the webhook."""

    configuration: str
    """Name of its MutatingWebhookConfiguration."""
    failure_policy: str
    since: str
    """Since when it is as it is, by the API server's record."""
    deployment: str = ""
    """Namespace and name, where it could be read."""
    mode: str = ""
    """Of the installation, where the Deployment could be read."""
    installation: Installation | None = None


def told(found: list[Installed] | None) -> list[Json] | None:
    """Return what programs are told of what is installed; None where that is not known."""
    if found is None:
        return None
    return [msgspec.to_builtins(msgspec.structs.replace(each, installation=None)) for each in found]


def find(client: "Client", unread: list[str]) -> list[Installed] | None:
    """Return the releases there are, None where that is not known; `unread` gets the reason.

    Raises:
        ApiError: the server did not answer.

    """
    try:
        configurations = list(items(client, CONFIGURATIONS))
    except ApiError as error:
        if error.status != 403:
            raise
        unread.append(f"{error}; whether a webhook is installed is not known")
        return None
    return [
        _read(client, configuration, webhook, unread)
        for configuration in configurations
        for webhook in configuration.get("webhooks") or ()
        if webhook.get("name") == WEBHOOK
    ]


def adopt(installation: Installation, installed: Installation) -> Installation:
    """Return what the command line says, and for flags that are not given what is installed."""
    context = click.get_current_context()
    changes = {
        field: getattr(installed, field)
        for flag, field in _FIELDS.items()
        if context.get_parameter_source(flag) is ParameterSource.DEFAULT
    }
    return msgspec.structs.replace(installation, **changes)


def adopted(
    client: "Client", installation: Installation, unread: list[str]
) -> tuple[Installation, list[Installed] | None]:
    """Return what counts, given the flags of this command, and what is installed.

    Raises:
        ApiError: the server did not answer.

    """
    found = find(client, unread)
    known = [each.installation for each in found or () if each.installation]
    if len(known) > 1:
        unread.append("several webhooks are installed; the flags of this command count for all")
    return (adopt(installation, known[0]) if len(known) == 1 else installation), found


def is_certain(found: list[Installed] | None) -> bool:
    """Whether it is known what the one webhook does that is installed."""
    return found is not None and [bool(each.installation) for each in found] == [True]


def _read(client: "Client", configuration: Json, webhook: Json, unread: list[str]) -> Installed:
    metadata = configuration["metadata"]
    since = metadata.get("creationTimestamp") or ""
    found = Installed(metadata["name"], webhook.get("failurePolicy") or "Fail", since)
    service = (webhook.get("clientConfig") or {}).get("service")
    if not service:
        return found
    namespace, name = service["namespace"], service["name"]
    unknown = f"the mode of '{found.configuration}' is not known"
    try:
        path = f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}"
        deployment: Json = msgspec.json.decode(client.get(path))
        installation = read_installation(client, deployment, unread)
    except ApiError as error:
        if error.status not in (403, 404):
            raise
        unread.append(f"{error}; {unknown}")
        return found
    except Unclear as error:
        unread.append(f"Deployment {namespace}/{name}: {error}; {unknown}")
        return found
    return msgspec.structs.replace(
        found,
        deployment=f"{namespace}/{name}",
        since=max(since, *_times(deployment)),
        mode=installation.mode.value,
        installation=installation,
    )


def _times(deployment: Json) -> Iterator[str]:
    """Yield when a Deployment was made, and when its flags were last written."""
    metadata = deployment["metadata"]
    yield metadata.get("creationTimestamp") or ""
    for entry in metadata.get("managedFields") or ():
        fields: Any = entry.get("fieldsV1") or {}
        for step in ("f:spec", "f:template", "f:spec", "f:containers"):
            fields = fields.get(step) or {}
        if "f:args" in fields.get(f'k:{{"name":"{CONTAINER}"}}', {}):
            yield entry.get("time") or ""
