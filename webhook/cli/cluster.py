"""The options of commands that talk to a cluster or judge plans, and what they give.

Nothing here loads a Kubernetes client before a cluster is talked to: that takes a fifth of a
second, and help, completion and what works offline do without.
"""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import click
import msgspec

from webhook import config
from webhook.cli.fault import ClusterFault
from webhook.cli.types import Parsed, complete_path
from webhook.model import Installation, Json, Mode, Scope

if TYPE_CHECKING:
    from kube.client import Client

P = ParamSpec("P")
R = TypeVar("R")

PAGE = 100
"""Objects asked for at a time."""

_FILE = Parsed("file", config.file)
_DEFAULT = Installation()

namespace_option = click.option(
    "-n", "--namespace", default="", help="Of the plan; the context's where none is given."
)


def cluster_flags(command: Callable[P, R]) -> Callable[P, R]:
    """Add `--context` and `--kubeconfig`, for `connected`."""
    kubeconfig = click.option(
        "--kubeconfig", type=_FILE, shell_complete=complete_path, help="As for kubectl."
    )
    command = kubeconfig(command)
    return click.option("--context", default="", help="Context of the kubeconfig.")(command)


def cluster_options(command: Callable[P, R]) -> Callable[..., R]:
    """Add `--context` and `--kubeconfig`; the command gets a `client`.

    An error of the API server or of its configuration ends the command with exit code 3.
    """

    @cluster_flags
    @functools.wraps(command)
    def wrapped(*args: Any, context: str, kubeconfig: Path | None, **kwargs: Any) -> R:
        with connected(context, kubeconfig) as client:
            return command(*args, client=client, **kwargs)  # type: ignore[arg-type]

    return wrapped


@contextmanager
def connected(context: str, kubeconfig: Path | None) -> "Iterator[Client]":
    """Have a client; nothing is called yet.

    Raises:
        ClusterFault: there is no configuration, or a call within was refused or not answered.

    """
    from kube.client import ApiError, ConfigError, connect  # noqa: PLC0415 - see above

    try:
        yield connect(kubeconfig, context, user_agent="kubectl-convertor")
    except (ApiError, ConfigError) as error:
        raise ClusterFault(str(error)) from None


prefix_option = click.option(
    "--annotation-prefix",
    default=_DEFAULT.prefix,
    envvar=f"{config.ENVIRONMENT}_ANNOTATION_PREFIX",
    show_default=True,
    help="Of the annotations on Plans.",
)


def installation_options(command: Callable[P, R]) -> Callable[..., R]:
    """Add what the installation was told too; the command gets an `installation`.

    The variables of the environment are the server's own, so that one file serves both.
    """

    def variable(flag: str) -> str:
        return f"{config.ENVIRONMENT}_{flag}"

    @click.option(
        "--defaults",
        type=_FILE,
        shell_complete=complete_path,
        envvar=variable("DEFAULTS"),
        help="The installation's settings for plans that say nothing (YAML).",
    )
    @click.option(
        "--mode",
        type=click.Choice([mode.value for mode in Mode]),
        default=_DEFAULT.mode.value,
        envvar=variable("MODE"),
        show_default=True,
        help="The installation's mode.",
    )
    @click.option(
        "--scope",
        type=click.Choice([scope.value for scope in Scope]),
        default=_DEFAULT.scope.value,
        envvar=variable("SCOPE"),
        show_default=True,
        help="Where a rule on pods looks that names no namespace.",
    )
    @prefix_option
    @functools.wraps(command)
    def wrapped(
        *args: Any,
        defaults: Path | None,
        mode: str,
        scope: str,
        annotation_prefix: str,
        **kwargs: Any,
    ) -> R:
        try:
            values = config.defaults(defaults) if defaults else {}
        except config.ConfigError as error:
            raise click.UsageError(str(error)) from None
        installation = Installation(
            mode=Mode(mode), scope=Scope(scope), prefix=annotation_prefix, defaults=values
        )
        return command(*args, installation=installation, **kwargs)  # type: ignore[arg-type]

    return wrapped


def items(client: "Client", path: str, **query: str) -> Iterator[Json]:
    """Return all objects of a list, page by page.

    Raises:
        ApiError: the server refused, or did not answer.

    """
    asked = {"limit": str(PAGE), **query}
    while True:
        page = msgspec.json.decode(client.get(path, asked))
        yield from page["items"]
        more = page.get("metadata", {}).get("continue")
        if not more:
            return
        asked["continue"] = more
