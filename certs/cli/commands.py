"""The certificate commands, to inspect certificates and to replace a compromised CA."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from certs.bundle.api import ClusterApi
from certs.bundle.interface import CONFLICT, NOT_FOUND, ApiError, targets
from certs.ca import rotation
from certs.ca import secret as secrets
from certs.ca.durations import Durations
from certs.ca.secret import SecretError, State
from certs.cli.show import of_configuration, of_file, of_secret
from webhook.kube.api.client import connect
from webhook.kube.api.errors import KubeconfigError
from webhook.kube.messages import describe_os_error

_FILE = click.Path(path_type=Path, dir_okay=False)


class _Fault(click.ClickException):
    """What the user has to put right."""

    exit_code = 2


class _SecretName(click.ParamType[tuple[str, str]]):
    name = "namespace/name"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        namespace, _, name = str(value).partition("/")
        if not (namespace and name) or "/" in name:
            self.fail(f"expected NAMESPACE/NAME, found {value!r}", param, ctx)
        return namespace, name


def _cluster_flags(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--context", default="", help="Context of the kubeconfig."),
        click.option("--kubeconfig", type=_FILE, help="Cluster; found as kubectl finds it."),
    ):
        command = option(command)
    return command


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def certs() -> None:
    """Show certificates, and replace the CA by hand."""


@certs.command
@click.argument("files", nargs=-1, type=_FILE)
@click.option("--secret", type=_SecretName(), help="Secret with the CA of the replicas.")
@click.option("--webhook-config", default="", help="Name of the webhook configurations.")
@_cluster_flags
def show(
    files: tuple[Path, ...],
    secret: tuple[str, str] | None,
    webhook_config: str,
    kubeconfig: Path | None,
    context: str,
) -> None:
    """Show the certificates in FILES, in a Secret, in the bundles of webhooks."""
    if not (files or secret or webhook_config):
        raise _Fault("nothing to show: expected FILES, --secret or --webhook-config")
    for path in files:
        try:
            _print(str(path), of_file(path.read_bytes(), datetime.now(UTC)))
        except OSError as error:
            raise _Fault(f"'{path}': {describe_os_error(error)}") from None
    with _explained():
        state = None
        if secret:
            api = _api(kubeconfig, context, secret)
            state = secrets.decode(api.read_secret().get("data"))
            _print(_title(secret), of_secret(state, _now(api)))
        if webhook_config:
            _show_configurations(_api(kubeconfig, context, name=webhook_config), state)


@certs.command(short_help="Replace the CA in a Secret now.")
@click.option("--secret", type=_SecretName(), required=True, help="Secret with the CA.")
@_cluster_flags
def rotate(secret: tuple[str, str], kubeconfig: Path | None, context: str) -> None:
    """Replace the CA in a Secret now, for instance because others may know its key.

    A new CA is put beside it. The replicas publish that, use it when every bundle has had it
    for ten minutes, and withdraw the old one ten minutes later. No call is lost.
    """
    with _explained():
        api = _api(kubeconfig, context, secret)
        found = api.read_secret()
        now = _now(api)
        state = secrets.decode(found.get("data"))
        if state is None:
            raise _Fault(f"{_title(secret)} is empty: the first replica makes the CA")
        forced = rotation.force(state, now, Durations())
        api.update_secret(secrets.store(forced, found))
    _print(_title(secret), of_secret(forced, now))


def _api(
    kubeconfig: Path | None, context: str, secret: tuple[str, str] = ("", ""), *, name: str = ""
) -> ClusterApi:
    return ClusterApi(
        connect(kubeconfig, context),
        targets=targets(name) if name else (),
        namespace=secret[0],
        secret=secret[1],
    )


@contextmanager
def _explained() -> Iterator[None]:
    """Turn what a cluster may say into words without a trace."""
    try:
        yield
    except (KubeconfigError, SecretError) as error:
        raise _Fault(str(error)) from None
    except ApiError as error:
        hint = ": somebody else wrote first, try again" if error.status == CONFLICT else ""
        raise _Fault(f"{error}{hint}") from None


def _now(api: ClusterApi) -> datetime:
    """Return the time as the API server has it, once it has answered: this clock may be wrong."""
    return (datetime.now(UTC) + api.clock_offset()).replace(microsecond=0)


def _show_configurations(api: ClusterApi, state: State | None) -> None:
    missing: list[ApiError] = []
    for target in api.targets:
        try:
            _print(str(target), of_configuration(api.read_configuration(target), state))
        except ApiError as error:
            if error.status != NOT_FOUND:
                raise
            missing.append(error)
    if len(missing) == len(api.targets):
        raise missing[0]


def _title(secret: tuple[str, str]) -> str:
    return f"Secret '{'/'.join(secret)}'"


def _print(title: str, lines: Iterable[str]) -> None:
    click.echo(title)
    for line in lines:
        click.echo(f"  {line}")
