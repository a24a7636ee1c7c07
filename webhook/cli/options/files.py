"""Options and input of commands that read files or standard input."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from webhook.cli.options.types import Parsed, complete_path, configured
from webhook.kube.messages import describe_os_error

F = TypeVar("F", bound=Callable[..., Any])


def filename_option(*, help: str, required: bool = False) -> Callable[[F], F]:  # noqa: A002
    """Add `-f`, for `read_text`."""
    kind = click.Path(allow_dash=True)
    return click.option("-f", "--filename", type=kind, metavar="FILE", required=required, help=help)


def path_option(*names: str, help: str) -> Callable[[F], F]:  # noqa: A002 - as click has it
    """Add an option that is a file or a directory; it is there."""
    kind = Parsed("path", configured("find_path"))
    return click.option(*names, type=kind, shell_complete=complete_path, help=help)


def read_text(path: str) -> str:
    """Read a file given on the command line, standard input for `-`, in UTF-8 or UTF-16.

    Raises:
        click.UsageError: the file cannot be read; the message says why.

    """
    from webhook.kube import manifests  # noqa: PLC0415 - help and completion do without

    try:
        with click.open_file(path, "rb") as stream:
            return manifests.decode(stream.read())
    except manifests.DocumentError as error:
        raise click.UsageError(f"'{path}': {error}") from None
    except OSError as error:
        raise click.UsageError(f"'{path}': {describe_os_error(error)}") from None
