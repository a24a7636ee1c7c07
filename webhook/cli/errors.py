"""How a command says that it cannot go on."""

import click

EXIT_FOUND = 1
"""What the command looks for is there: a denial, a problem."""
EXIT_CLUSTER = 3


class Fault(click.ClickException):
    """What the user has to put right, where no single flag is to blame."""

    exit_code = 2


class ClusterFault(click.ClickException):
    """The cluster did not answer, or refused."""

    exit_code = EXIT_CLUSTER
