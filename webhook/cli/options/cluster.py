"""Options of commands that connect to a cluster, and the connection.

The Kubernetes client is imported only when a command connects: that takes a fifth of a second,
which help, completion and commands without a cluster save.
"""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import click

from webhook.cli.errors import ClusterError
from webhook.cli.options.types import Parsed, complete_path, configured
from webhook.kube.api.errors import ApiError, KubeconfigError
from webhook.kube.commands import KubectlFlags
from webhook.kube.objects import Json

if TYPE_CHECKING:
    from webhook.kube.api.client import Client

P = ParamSpec("P")
R = TypeVar("R")

PAGE_SIZE = 100
"""Objects requested at a time."""

_FILE = Parsed("file", configured("find_file"))

namespace_option = click.option(
    "-n", "--namespace", default="", help="Of the plan; the context's where none is given."
)


def cluster_flags(command: Callable[P, R]) -> Callable[P, R]:
    """Add `--context` and `--kubeconfig`, for `connected`."""
    kubeconfig = click.option(
        "--kubeconfig", type=_FILE, shell_complete=complete_path, help="As for kubectl."
    )
    context = click.option(
        "--context", default="", shell_complete=_complete_context, help="Context of the kubeconfig."
    )
    return context(kubeconfig(command))


def _complete_context(ctx: click.Context, _param: click.Parameter, start: str) -> list[str]:
    from webhook.cli.options import contexts  # noqa: PLC0415 - help does without

    return [name for name in contexts.names(ctx.params["kubeconfig"]) if name.startswith(start)]


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


def selected_cluster() -> KubectlFlags:
    """Return the flags of the current command that select a cluster."""
    given = click.get_current_context().params
    return KubectlFlags(given["context"], str(given["kubeconfig"] or ""))


@contextmanager
def connected(context: str, kubeconfig: Path | None) -> "Iterator[Client]":
    """Provide a client, which connects with its first call.

    Raises:
        ClusterError: there is no configuration, or the API server refused or did not respond.

    """
    from webhook.kube.api.client import connect  # noqa: PLC0415 - see above

    try:
        yield connect(kubeconfig, context, user_agent="kubectl-convertor")
    except (ApiError, KubeconfigError) as error:
        raise ClusterError(str(error)) from None


def items(client: "Client", path: str, **query: str) -> Iterator[Json]:
    """Return all objects of a list, page by page.

    Raises:
        ApiError: the server refused, or did not respond.

    """
    query_with_limit = {"limit": str(PAGE_SIZE), **query}
    while True:
        page = client.get_object(path, query_with_limit)
        if "items" not in page:
            raise ApiError(f"{client.server} answered {path} without a list of items")
        yield from page["items"] or ()  # Go encodes an empty slice as null
        more = (page.get("metadata") or {}).get("continue")
        if not more:
            return
        query_with_limit["continue"] = more
