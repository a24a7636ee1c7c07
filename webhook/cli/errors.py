"""Errors that end a command, and its exit codes."""

import click

from webhook.kube.messages import escape

EXIT_FOUND = 1
"""The command found what it looks for: a denial, a problem, or what `--fail-on` names."""
EXIT_CLUSTER = 3
"""The cluster did not answer or refused, or RBAC hides some objects: the result is incomplete."""


class _Error(click.ClickException):
    def __init__(self, message: str) -> None:
        """`message` may quote a file or an API server, so it is escaped."""
        super().__init__(escape(message, keep="\n"))


class UserError(_Error):
    """An error in flags together or in files, which the user can repair."""

    exit_code = 2


class ClusterError(_Error):
    """An error of the API server, or no answer from it."""

    exit_code = EXIT_CLUSTER
