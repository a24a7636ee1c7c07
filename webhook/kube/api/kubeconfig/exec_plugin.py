"""Exec plugins: programs that print credentials (client.authentication.k8s.io).

https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
"""

import base64
import datetime as dt
import os
import shutil
import subprocess
import sys
from typing import Annotated, Any, NamedTuple

import msgspec

from webhook.kube import manifests
from webhook.kube.api.errors import KubeconfigError
from webhook.kube.api.kubeconfig.files import Cluster, ExecConfig, read_authority
from webhook.kube.messages import describe_os_error, describe_validation_error, join_with_or

_GROUP = "client.authentication.k8s.io"
API_VERSIONS = (f"{_GROUP}/v1", f"{_GROUP}/v1beta1")
_MODES = ("Never", "IfAvailable", "Always")


class ExecCredential(NamedTuple):
    """A bearer token, or a client certificate with its key, or both."""

    token: str
    certificate: bytes
    """PEM, or empty."""
    key: bytes
    """PEM, or empty."""
    expires_at: dt.datetime | None


class _Status(msgspec.Struct, rename="camel"):
    token: str | None = None
    client_certificate_data: str | None = None
    client_key_data: str | None = None
    expiration_timestamp: Annotated[dt.datetime, msgspec.Meta(tz=True)] | None = None


class _Printed(msgspec.Struct, rename="camel"):
    kind: str = ""
    api_version: str = ""
    status: _Status | None = None


def find_problem(config: ExecConfig) -> str:
    """Return what is wrong with the configuration of a plugin, or nothing."""
    if not config.command:
        return "'exec.command' is missing"
    if config.api_version not in API_VERSIONS:
        return f"'exec.apiVersion': expected {join_with_or(API_VERSIONS)}"
    if not config.interactive_mode and config.api_version == API_VERSIONS[0]:
        return f"'exec.interactiveMode' is missing: expected {join_with_or(_MODES)}"
    if config.interactive_mode and config.interactive_mode not in _MODES:
        return f"'exec.interactiveMode': expected {join_with_or(_MODES)}"
    if not all(each.name for each in config.env):
        return "'exec.env': a variable has no name"
    return ""


def run(config: ExecConfig, cluster: Cluster) -> ExecCredential:
    """Run a plugin, whose messages and prompts go to standard error.

    Raises:
        KubeconfigError: it cannot be run, failed, or printed no credentials.

    """
    plugin = f"exec plugin '{config.command}'"
    is_interactive = _is_interactive(config, plugin)
    variables = {each.name: each.value for each in config.env}
    info = msgspec.json.encode(_exec_info(config, cluster, is_interactive=is_interactive)).decode()
    try:
        done = subprocess.run(  # noqa: S603 - it is the user's own configuration
            [config.command, *config.args],
            executable=_find_program(config.command),
            env=os.environ | variables | {"KUBERNETES_EXEC_INFO": info},
            stdin=None if is_interactive else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            check=False,
        )
    except FileNotFoundError:
        hint = "".join(c for c in config.install_hint if c.isprintable() or c.isspace()).strip()
        raise KubeconfigError(f"{plugin} is not installed{hint and f': {hint}'}") from None
    except OSError as error:
        raise KubeconfigError(f"{plugin}: {describe_os_error(error)}") from None
    except ValueError:  # a NUL character
        raise KubeconfigError(f"{plugin}: its arguments or variables are invalid") from None
    if done.returncode < 0:
        raise KubeconfigError(f"{plugin} was ended by signal {-done.returncode}")
    if done.returncode:
        raise KubeconfigError(f"{plugin} failed with exit code {done.returncode}")
    return _parse(done.stdout, config, plugin)


def _find_program(command: str) -> str:
    """Return the path of a program: its variables have no effect on where it is searched."""
    path = command if "/" in command else shutil.which(command)
    if not path:
        raise FileNotFoundError
    return path


def _is_interactive(config: ExecConfig, plugin: str) -> bool:
    is_terminal = sys.stdin is not None and not sys.stdin.closed and sys.stdin.isatty()
    if config.interactive_mode == "Always" and not is_terminal:
        raise KubeconfigError(f"{plugin} is interactive, but standard input is not a terminal")
    return is_terminal and config.interactive_mode != "Never"


def _exec_info(config: ExecConfig, cluster: Cluster, *, is_interactive: bool) -> Any:
    spec: dict[str, Any] = {"interactive": is_interactive}
    if config.provide_cluster_info:
        described = {
            "server": cluster.server,
            "tls-server-name": cluster.tls_server_name,
            "insecure-skip-tls-verify": cluster.insecure_skip_tls_verify,
            "certificate-authority-data": base64.b64encode(read_authority(cluster)).decode(),
            "proxy-url": cluster.proxy_url,
            "disable-compression": cluster.disable_compression,
            "config": cluster.exec_config(),
        }
        spec["cluster"] = {key: value for key, value in described.items() if value}
    return {"kind": "ExecCredential", "apiVersion": config.api_version, "spec": spec}


def _decode(output: bytes) -> Any:
    try:
        return msgspec.json.decode(output)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):  # it may be YAML
        return manifests.parse_first_document(manifests.decode(output))


def _parse(output: bytes, config: ExecConfig, plugin: str) -> ExecCredential:
    """Return the credentials of a plugin's output, which no message may quote."""
    expected = f"an ExecCredential of {config.api_version}"
    try:
        printed = msgspec.convert(_decode(output), _Printed)
    except msgspec.ValidationError as error:
        message = describe_validation_error(error, "the output")
        raise KubeconfigError(f"{plugin} did not print {expected}: {message}") from None
    except (manifests.DocumentError, RecursionError):
        raise KubeconfigError(
            f"{plugin} did not print {expected}, but neither JSON nor YAML"
        ) from None
    if printed.kind not in ("", "ExecCredential") or printed.api_version != config.api_version:
        raise KubeconfigError(f"{plugin} did not print {expected}, but another kind or version")
    status = printed.status or _Status()
    certificate, key = status.client_certificate_data or "", status.client_key_data or ""
    if bool(certificate) != bool(key):
        raise KubeconfigError(f"{plugin} printed only a certificate or only a key, not both")
    if not (status.token or certificate):
        raise KubeconfigError(f"{plugin} printed neither a token nor a certificate")
    expires_at = status.expiration_timestamp
    return ExecCredential(status.token or "", certificate.encode(), key.encode(), expires_at)
