"""Problems of plans with commands for the cluster that a command has connected to."""

import click
import msgspec

from webhook.kube.commands import KubectlFlags
from webhook.model import Problem


def selected_cluster() -> KubectlFlags:
    """Return the flags of the current command that have selected a cluster."""
    given = click.get_current_context().params
    return KubectlFlags(given["context"], str(given["kubeconfig"] or ""))


def for_cluster(problems: list[Problem], flags: KubectlFlags) -> list[Problem]:
    """Return the problems with these flags in their commands."""
    return [
        msgspec.structs.replace(each, command=flags.append_to(each.command))
        if each.command
        else each
        for each in problems
    ]
