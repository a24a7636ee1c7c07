"""The cluster and credentials to use: from a kubeconfig as kubectl finds it, or from the pod."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

import yaml
from kubernetes.client import Configuration
from kubernetes.config import ConfigException, kube_config
from kubernetes.config.incluster_config import (
    SERVICE_CERT_FILENAME,
    SERVICE_HOST_ENV_NAME,
    SERVICE_TOKEN_FILENAME,
    InClusterConfigLoader,
)

from webhook.kube.api.errors import KubeconfigError
from webhook.kube.messages import did_you_mean

_NAMESPACE_FILE = Path(SERVICE_TOKEN_FILENAME).with_name("namespace")


class ClientConfig(NamedTuple):
    """A cluster's configuration, which can be loaded again when its credentials have changed."""

    origin: str
    """For messages: `context 'kind' of '/home/me/.kube/config'`."""
    namespace: str
    """The default namespace."""
    load: Callable[[], Configuration]
    """Raises KubeconfigError."""


def find_client_config(
    kubeconfig: Path | None = None, context: str = "", environ: Mapping[str, str] = os.environ
) -> ClientConfig:
    """Find the configuration: `kubeconfig`, else KUBECONFIG, `~/.kube/config`, or the pod's.

    Raises:
        KubeconfigError: there is none, or it is invalid.

    """
    default = Path("~/.kube/config").expanduser()
    if kubeconfig or environ.get("KUBECONFIG") or default.exists():
        return _from_file(str(kubeconfig or environ.get("KUBECONFIG") or default), context)
    if environ.get(SERVICE_HOST_ENV_NAME):
        return _from_pod(environ)
    raise KubeconfigError(
        f"no cluster: KUBECONFIG is not set, '{default}' does not exist, and this is not a pod; "
        "try --kubeconfig FILE"
    )


def _from_file(paths: str, context: str) -> ClientConfig:
    entry = _find_context(paths, context)

    def load() -> Configuration:
        configuration = Configuration()
        try:
            kube_config.load_kube_config(
                paths, entry["name"], client_configuration=configuration, persist_config=False
            )
        except (ConfigException, OSError, yaml.YAMLError, ValueError) as error:
            raise KubeconfigError(f"kubeconfig '{paths}': {_lower(error)}") from None
        return _strip_token(configuration)

    origin = f"context '{entry['name']}' of '{paths}'"
    return ClientConfig(origin, (entry.get("context") or {}).get("namespace") or "default", load)


def _from_pod(environ: Mapping[str, str]) -> ClientConfig:
    def load() -> Configuration:
        configuration = Configuration()
        loader = InClusterConfigLoader(
            SERVICE_TOKEN_FILENAME, SERVICE_CERT_FILENAME, environ=environ
        )
        try:
            loader.load_and_set(configuration)
        except (ConfigException, OSError) as error:
            raise KubeconfigError(
                f"the pod's service account: {_lower(error)}; is automountServiceAccountToken off?"
            ) from None
        return _strip_token(configuration)

    try:
        namespace = _NAMESPACE_FILE.read_text().strip()
    except OSError:
        namespace = "default"
    return ClientConfig("the pod's service account", namespace, load)


def _find_context(paths: str, context: str) -> Any:
    """Return the kubeconfig's entry of a context, by default the current context."""
    try:
        config = kube_config.KubeConfigMerger(paths).config
        if config is None:
            raise KubeconfigError(f"kubeconfig '{paths}': no such file")
        contexts = {entry["name"]: entry.value for entry in config.value["contexts"]}
        wanted = context or config.value.get("current-context")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"line {mark.line + 1} column {mark.column + 1}: " if mark else ""
        raise KubeconfigError(
            f"kubeconfig '{paths}': {place}expected YAML: {error.problem}"
        ) from None
    except (TypeError, AttributeError, KeyError):
        raise KubeconfigError(
            f"kubeconfig '{paths}': expected clusters, users and contexts"
        ) from None
    except (ConfigException, OSError, yaml.YAMLError) as error:
        raise KubeconfigError(f"kubeconfig '{paths}': {_lower(error)}") from None
    known = ", ".join(f"'{name}'" for name in contexts) or "none"
    if not wanted:
        raise KubeconfigError(f"kubeconfig '{paths}' has no current context; choose one of {known}")
    if wanted not in contexts:
        hint = did_you_mean(wanted, contexts)
        raise KubeconfigError(
            f"kubeconfig '{paths}' has no context '{wanted}': it has {known}{hint}"
        )
    return contexts[wanted]


def _strip_token(configuration: Any) -> Configuration:
    """Remove the line end of a token from a file: it is not valid in a header."""
    refresh = configuration.refresh_api_key_hook

    def hook(configuration: Any) -> None:
        if refresh:
            refresh(configuration)
        if token := configuration.api_key.get("BearerToken"):
            configuration.api_key["BearerToken"] = token.strip()
        configuration.refresh_api_key_hook = hook  # the client's own hook resets it

    configuration.refresh_api_key_hook = hook
    return cast("Configuration", configuration)


def _lower(error: Exception) -> str:
    text = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return (text[:1].lower() + text[1:]).rstrip(".").replace("\n", " ")
