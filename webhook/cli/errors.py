"""Errors that end a command, and its exit codes."""

import click

EXIT_FOUND = 1
"""The command found what it looks for: a denial, a problem, or what `--fail-on` names."""
EXIT_CLUSTER = 3
"""The cluster did not answer or refused, or RBAC hides some objects: the result is incomplete."""


class UserError(click.ClickException):
    """An error in flags together or in files, which the user can repair."""

    exit_code = 2


class ClusterError(click.ClickException):
    """An error of the API server, or no answer from it."""

    exit_code = EXIT_CLUSTER
