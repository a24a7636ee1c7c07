"""Find the releases of the webhook in a cluster, and read their settings from their ConfigMaps.

A release is found by its webhooks in a MutatingWebhookConfiguration, whatever its name. They have
the Service, and the chart gives Service, Deployment and ConfigMap names that follow from each
other. Without the right to read one of these, a command goes on and reports what it does not know.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from webhook.cli.options.cluster import items
from webhook.cli.options.installation import is_given, override
from webhook.kube.api.errors import ApiError
from webhook.kube.api.version import read_minor_version
from webhook.kube.objects import Json
from webhook.kube.webhook_selectors import CONFIGURATIONS_PATH, WebhookSelectors, read_selectors
from webhook.model import WEBHOOK_NAMES, Installation

if TYPE_CHECKING:
    from webhook.kube.api.client import Client

KEY = "config.yaml"
"""Key of the ConfigMap; its value is the file of `--config`."""


class _UnknownSettingsError(Exception):
    """The settings of a release cannot be read; the message says why."""


class Release(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A release of the webhook."""

    configuration: str
    """Name of its MutatingWebhookConfiguration."""
    failure_policy: str
    """Of the pods that Forklift creates itself."""
    since: str
    """Time of the last change of its settings, as the API server has recorded it."""
    deployment: str = ""
    """Namespace and name; like the fields below it is empty if the settings are not known."""
    config_map: str = ""
    """Namespace and name of the ConfigMap with the settings."""
    mode: str = ""
    installation: Installation | None = None
    selectors: list[WebhookSelectors] = []
    """Of its webhooks."""


def find_releases(client: "Client", unread: list[str]) -> list[Release] | None:
    """Return all releases; None, with the reason in `unread`, without the right to list them.

    Raises:
        ApiError: the server did not answer.

    """
    try:
        configurations = list(items(client, CONFIGURATIONS_PATH))
    except ApiError as error:
        if error.status != 403:
            raise
        unread.append(f"{error}; whether a webhook is installed is not known")
        return None
    return [
        _read_release(client, configuration, webhooks, unread)
        for configuration in configurations
        if (webhooks := _list_webhooks(configuration))
    ]


def with_installed_defaults(
    client: "Client", installation: Installation, unread: list[str]
) -> tuple[Installation, list[Release] | None]:
    """Return the installation of the one release, overridden by flags, and all releases.

    With `--config`, or without exactly one release whose settings are known, the installation is
    that of the options alone.

    Raises:
        ApiError: the server did not answer.

    """
    releases = find_releases(client, unread)
    installation = msgspec.structs.replace(installation, kubernetes=read_minor_version(client))
    if is_given("config"):
        return installation, releases
    known = [release.installation for release in releases or () if release.installation]
    if len(known) > 1:
        unread.append("several webhooks are installed: only the flags of this command are applied")
    if len(known) != 1:
        return installation, releases
    installed = msgspec.structs.replace(known[0], kubernetes=installation.kubernetes)
    return override(installed, installation), releases


def is_only_release_known(releases: list[Release] | None) -> bool:
    """Return whether there is exactly one release, and its settings are known."""
    return releases is not None and [bool(each.installation) for each in releases] == [True]


def encode_releases(releases: list[Release] | None) -> list[Json] | None:
    """Return the releases for JSON and YAML output; None if they are not known."""
    if releases is None:
        return None
    return [
        msgspec.to_builtins(msgspec.structs.replace(release, installation=None, selectors=[]))
        for release in releases
    ]


def _list_webhooks(configuration: Json) -> list[Json]:
    """Return the webhooks of the chart; that of the pods which Forklift creates is the first."""
    found = {webhook.get("name"): webhook for webhook in configuration.get("webhooks") or ()}
    return [found[name] for name in WEBHOOK_NAMES if name in found]


def _read_release(
    client: "Client", configuration: Json, webhooks: list[Json], unread: list[str]
) -> Release:
    metadata = configuration["metadata"]
    webhook = webhooks[0]
    created = metadata.get("creationTimestamp") or ""
    release = Release(
        metadata["name"],
        webhook.get("failurePolicy") or "Fail",
        created,
        selectors=[read_selectors(metadata["name"], each) for each in webhooks],
    )
    service = (webhook.get("clientConfig") or {}).get("service")
    if not service:
        name = release.configuration
        unread.append(
            f"the webhook of '{name}' has no Service; the settings of '{name}' are not known"
        )
        return release
    namespace, name = service["namespace"], service["name"]
    try:
        config_map = _get_config_map(client, namespace, f"{name}-config")
        installation = _read_settings(config_map)
    except _UnknownSettingsError as error:
        unread.append(f"{error}; the settings of '{release.configuration}' are not known")
        return release
    return msgspec.structs.replace(
        release,
        deployment=f"{namespace}/{name}",
        config_map=f"{namespace}/{config_map['metadata']['name']}",
        since=max(created, *_list_times(config_map)),
        mode=installation.mode.value,
        installation=installation,
    )


def _get_config_map(client: "Client", namespace: str, name: str) -> Json:
    try:
        return client.get_object(f"/api/v1/namespaces/{namespace}/configmaps/{name}")
    except ApiError as error:
        if error.status == 404:
            message = f"namespace '{namespace}' has no ConfigMap '{name}' with a {KEY}"
            raise _UnknownSettingsError(message) from None
        if error.status == 403:
            raise _UnknownSettingsError(str(error)) from None
        raise


def _read_settings(config_map: Json) -> Installation:
    """Read the settings as the server does, which refuses to start with any problem in them."""
    from webhook.kube import manifests  # noqa: PLC0415 - help and completion do without
    from webhook.settings.installation import read_installation  # noqa: PLC0415

    metadata = config_map["metadata"]
    origin = f"ConfigMap {metadata['namespace']}/{metadata['name']}"
    text = (config_map.get("data") or {}).get(KEY)
    if text is None:
        raise _UnknownSettingsError(f"{origin} has no {KEY}")
    try:
        document = manifests.parse_document(text)
    except manifests.DocumentError as error:
        raise _UnknownSettingsError(f"{origin} {KEY}: {error}") from None
    installation, problems = read_installation(document, f"{origin} {KEY}")
    if problems:
        raise _UnknownSettingsError("; ".join(map(str, problems)))
    return installation


def _list_times(config_map: Json) -> Iterator[str]:
    """Yield when a ConfigMap was created, and when its settings were written."""
    metadata = config_map["metadata"]
    yield metadata.get("creationTimestamp") or ""
    for entry in metadata.get("managedFields") or ():
        fields: Any = (entry.get("fieldsV1") or {}).get("f:data") or {}
        if f"f:{KEY}" in fields:
            yield entry.get("time") or ""
