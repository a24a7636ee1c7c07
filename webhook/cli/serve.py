"""`convertor-webhook serve`: its flags, and the checks of flags that exclude or need each other."""

import os
from enum import StrEnum
from pathlib import Path
from typing import Any

import click
import structlog
import uvloop

from certs.serving.local_ca import LOCAL_NAMES
from webhook.cli.errors import UserError
from webhook.cli.options.installation import installation_options
from webhook.cli.options.types import Parsed
from webhook.server import config
from webhook.server import run as server
from webhook.server.config import (
    MAX_CONCURRENT_REVIEWS,
    MAX_WATCHED_NAMESPACES,
    Certificates,
    Config,
    ConfigError,
)
from webhook.telemetry import logs
from webhook.telemetry.log_writer import LogWriter, log_in_background

_ADDRESS = Parsed("host:port", config.parse_address)
_DIRECTORY = Parsed("directory", config.find_directory)
_FILE = Parsed("file", config.find_file)
_PATH = Parsed("path", config.parse_path)
_NAMESPACE = Parsed("namespace", config.parse_namespace)
_OBJECT = Parsed("namespace/name", config.parse_object_name)


def _make_choice(words: type[StrEnum]) -> click.Choice[str]:
    return click.Choice([word.value for word in words])


@click.command(
    context_settings={
        "auto_envvar_prefix": config.ENVIRONMENT,
        "show_default": True,
        "max_content_width": 100,
    }
)
@click.option(
    "--plans",
    type=_DIRECTORY,
    help="Read Plans, nodes, PVCs, PersistentVolumes and StorageClasses from the YAML files in it, "
    "without a cluster.",
)
@click.option(
    "--kubeconfig", type=_FILE, help="Cluster with the pods.  [default: that of this pod]"
)
@click.option("--hub-kubeconfig", type=_FILE, help="Cluster with the Plans, if another.")
@click.option("--listen", type=_ADDRESS, default="0.0.0.0:8443", help="Reviews, over TLS.")
@click.option("--status-listen", type=_ADDRESS, default="0.0.0.0:8080", help="Probes and metrics.")
@click.option("--certs-secret", type=_OBJECT, help="Secret with the CA that the replicas share.")
@click.option("--certs-service", type=_OBJECT, help="Service that API servers call.")
@click.option("--certs-webhook-config", metavar="NAME", help="Configurations to publish the CA in.")
@click.option(
    "--tls-dir", type=_DIRECTORY, help="Directory with the certificate: tls.crt and tls.key."
)
@click.option("--tls-cert", type=_FILE, help="Certificate (PEM), with the chain to its CA.")
@click.option("--tls-key", type=_FILE, help="Private key of that certificate (PEM).")
@click.option(
    "--tls-name",
    metavar="NAME",
    multiple=True,
    help="Another name in a certificate of the local CA.",
)
@click.option("--state-dir", type=_PATH, help="Directory for the local CA.")
@click.option("--client-ca", type=_FILE, help="Serve only clients with a certificate of this CA.")
@installation_options
@click.option(
    "--watch-pods/--no-watch-pods",
    default=True,
    help="Find migration pods that were missed.",
)
@click.option(
    "--watch-pods-namespace",
    type=_NAMESPACE,
    multiple=True,
    help="Find them only there; may be repeated.",
)
@click.option(
    "--webhook-config",
    metavar="NAME",
    default="",
    help="Configuration whose selectors exclude pods from that.",
)
@click.option(
    "--max-concurrent",
    type=click.IntRange(1),
    default=MAX_CONCURRENT_REVIEWS,
    help="Reviews at a time; more get 429 and Retry-After. Connections: 150 more for each client.",
)
@click.option(
    "--log-format",
    type=_make_choice(logs.Format),
    default=logs.Format.AUTO.value,
    help="auto is text on a terminal and JSON elsewhere.",
)
@click.option(
    "--log-level",
    type=_make_choice(logs.Level),
    default=logs.Level.INFO.value,
    help="Lowest level to log.",
)
@click.pass_context
def serve(context: click.Context, /, log_format: str, log_level: str, **flags: Any) -> None:
    """Serve reviews until SIGTERM or SIGINT.

    Every flag is an environment variable too: --tls-dir is CONVERTOR_WEBHOOK_TLS_DIR. Without
    --certs-secret and --tls-dir the server signs its certificate with a local CA and logs where
    that is.
    """
    with log_in_background(logs.Format(log_format), logs.Level(log_level)) as writer:
        _serve(context, flags, writer)


def _serve(context: click.Context, flags: dict[str, Any], writer: LogWriter) -> None:
    known = [f"{config.ENVIRONMENT}_{flag.name}".upper() for flag in context.command.params]
    for warning in config.find_unknown_variables(os.environ, known):
        structlog.get_logger().warning(warning)
    try:
        uvloop.run(server.serve(_read_config(flags), lambda: writer.dropped))
    except ConfigError as error:
        raise UserError(str(error)) from None


def _read_config(flags: dict[str, Any]) -> Config:
    if flags["plans"] and (flags["kubeconfig"] or flags["hub_kubeconfig"]):
        raise UserError("expected --plans or a kubeconfig, found both")
    return Config(
        listen=flags["listen"],
        status_listen=flags["status_listen"],
        plans=flags["plans"],
        kubeconfig=flags["kubeconfig"],
        hub_kubeconfig=flags["hub_kubeconfig"],
        watch_pods=flags["watch_pods"],
        watch_pods_namespaces=_read_watched_namespaces(flags),
        webhook_config=flags["webhook_config"],
        certificates=_read_certificates(flags),
        max_concurrent=flags["max_concurrent"],
        installation=flags["installation"],
    )


def _read_watched_namespaces(flags: dict[str, Any]) -> tuple[str, ...]:
    namespaces = tuple(dict.fromkeys(flags["watch_pods_namespace"]))
    if namespaces and not flags["watch_pods"]:
        raise UserError("expected --no-watch-pods or --watch-pods-namespace, found both")
    if namespaces and flags["plans"]:
        raise UserError("--plans is without a cluster, --watch-pods-namespace needs one")
    if len(namespaces) > MAX_WATCHED_NAMESPACES:
        raise UserError(
            f"--watch-pods-namespace: expected at most {MAX_WATCHED_NAMESPACES} namespaces, found "
            f"{len(namespaces)}; without it all namespaces are watched, with one connection"
        )
    return namespaces


def _read_certificates(flags: dict[str, Any]) -> Certificates:
    service, secret = flags["certs_service"], flags["certs_secret"]
    files = _find_files(flags)
    if secret and files:
        raise UserError("expected --certs-secret or a certificate in files, found both")
    if (secret or flags["certs_webhook_config"]) and not service:
        raise UserError("--certs-service is missing: the name that API servers call")
    if flags["plans"] and (secret or service):
        raise UserError("--plans is without a cluster, --certs-secret and --certs-service need one")
    if flags["tls_name"] and (files or service):
        raise UserError(
            "--tls-name is for a certificate of the local CA: not for files, not for a Service"
        )
    return Certificates(
        names=() if files and not service else _list_names(flags, service),
        files=files,
        secret=secret,
        webhook_config=flags["certs_webhook_config"] or "",
        client_ca=flags["client_ca"],
        state_dir=flags["state_dir"],
    )


def _list_names(flags: dict[str, Any], service: tuple[str, str] | None) -> tuple[str, ...]:
    """Return the DNS names of the certificate; first the one that API servers call."""
    if service is None:
        return (*LOCAL_NAMES, *flags["tls_name"])
    namespace, name = service
    full = f"{name}.{namespace}"
    return f"{full}.svc", f"{full}.svc.cluster.local", full, name


def _find_files(flags: dict[str, Any]) -> tuple[Path, Path] | None:
    directory, cert, key = flags["tls_dir"], flags["tls_cert"], flags["tls_key"]
    if directory and (cert or key):
        raise UserError("expected --tls-dir or --tls-cert with --tls-key, found both")
    if directory:
        return directory / "tls.crt", directory / "tls.key"
    if cert and key:
        return cert, key
    if cert or key:
        missing = "--tls-cert" if key else "--tls-key"
        raise UserError(f"expected --tls-cert and --tls-key together, {missing} is missing")
    return None
