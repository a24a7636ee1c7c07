"""`certs show` and `certs rotate`: inspect certificates, and replace a compromised CA."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

import click

from certs.bundle.api import ClusterApi
from certs.bundle.interface import targets_of
from certs.ca import rotation, secret
from certs.ca.durations import Durations
from certs.ca.secret import SecretError, State
from certs.cli.show import describe_configuration, describe_file, describe_secret
from webhook.kube.api.client import connect
from webhook.kube.api.errors import ApiError, KubeconfigError
from webhook.kube.messages import describe_os_error, escape

_FILE = click.Path(path_type=Path, dir_okay=False)


class _UserError(click.ClickException):
    """An error that the user can correct."""

    exit_code = 2


class _ClusterError(click.ClickException):
    """An error of the API server or of its configuration."""

    exit_code = 3


class _SecretName(click.ParamType[tuple[str, str]]):
    name = "namespace/name"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        namespace, _, name = str(value).partition("/")
        if not (namespace and name) or "/" in name:
            self.fail(f"expected NAMESPACE/NAME, found {value!r}", param, ctx)
        return namespace, name


def _cluster_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--context", default="", help="Context of the kubeconfig."),
        click.option("--kubeconfig", type=_FILE, help="Kubeconfig; by default that of kubectl."),
    ):
        command = option(command)
    return command


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def certs() -> None:
    """Show certificates, and replace the CA by hand."""


@certs.command(short_help="Show the certificates in files, a Secret or caBundles.")
@click.argument("files", nargs=-1, type=_FILE)
@click.option("--secret", "name", type=_SecretName(), help="Secret with the CA of the replicas.")
@click.option("--webhook-config", default="", help="Name of the webhook configurations.")
@_cluster_options
def show(
    files: tuple[Path, ...],
    name: tuple[str, str] | None,
    webhook_config: str,
    kubeconfig: Path | None,
    context: str,
) -> None:
    """Show the certificates in FILES, in a Secret, and in the caBundles of webhooks."""
    if not (files or name or webhook_config):
        raise _UserError("nothing to show: expected FILES, --secret or --webhook-config")
    for path in files:
        try:
            _print(str(path), describe_file(path.read_bytes(), datetime.now(UTC)))
        except OSError as error:
            raise _UserError(f"'{path}': {describe_os_error(error)}") from None
    with _report_cluster_errors():
        state = None
        if name:
            cluster = _connect(kubeconfig, context, name)
            state = secret.decode(cluster.read_secret().get("data"))
            _print(_title(name), describe_secret(state, _now(cluster)))
        if webhook_config:
            _show_configurations(_connect(kubeconfig, context, release=webhook_config), state)


@certs.command(short_help="Replace the CA in a Secret now.")
@click.option("--secret", "name", type=_SecretName(), required=True, help="Secret with the CA.")
@_cluster_options
def rotate(name: tuple[str, str], kubeconfig: Path | None, context: str) -> None:
    """Replace the CA in a Secret now, for instance because its private key may be compromised.

    A new CA is stored beside the active one. The replicas publish it, use it once every caBundle
    has held it for ten minutes, and remove the old one ten minutes later. No request fails.
    """
    with _report_cluster_errors():
        cluster = _connect(kubeconfig, context, name)
        found = cluster.read_secret()
        now = _now(cluster)
        state = secret.decode(found.get("data"))
        if state is None:
            raise _UserError(f"{_title(name)} is empty: the first replica makes the CA")
        forced = rotation.force(state, now, Durations())
        cluster.update_secret(secret.store(forced, found))
    _print(_title(name), describe_secret(forced, now))


def _connect(
    kubeconfig: Path | None, context: str, name: tuple[str, str] = ("", ""), *, release: str = ""
) -> ClusterApi:
    return ClusterApi(
        connect(kubeconfig, context),
        targets=targets_of(release) if release else (),
        namespace=name[0],
        secret=name[1],
    )


@contextmanager
def _report_cluster_errors() -> Iterator[None]:
    """Report an error of the cluster or of the Secret without a traceback."""
    try:
        yield
    except SecretError as error:
        raise _UserError(str(error)) from None
    except KubeconfigError as error:
        raise _ClusterError(str(error)) from None
    except ApiError as error:
        is_conflict = error.status == HTTPStatus.CONFLICT
        hint = ": another client changed it, try again" if is_conflict else ""
        raise _ClusterError(f"{error}{hint}") from None


def _now(cluster: ClusterApi) -> datetime:
    """Return the time by the API server's clock, after a request: this clock may be wrong."""
    return (datetime.now(UTC) + cluster.clock_offset()).replace(microsecond=0)


def _show_configurations(cluster: ClusterApi, state: State | None) -> None:
    missing: list[ApiError] = []
    for target in cluster.targets:
        try:
            configuration = cluster.read_configuration(target)
            _print(str(target), describe_configuration(configuration, state))
        except ApiError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            missing.append(error)
    if len(missing) == len(cluster.targets):
        raise missing[0]


def _title(name: tuple[str, str]) -> str:
    return f"Secret '{'/'.join(name)}'"


def _print(title: str, lines: Iterable[str]) -> None:
    click.echo(escape(title))
    for line in lines:
        click.echo(f"  {escape(line)}")
