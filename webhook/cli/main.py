"""`convertor-webhook`, the server's own command."""

from functools import partial
from importlib.metadata import version

import click
import structlog

from certs.cli.commands import certs
from webhook import program
from webhook.cli.serve import serve
from webhook.telemetry import logs


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(version("convertor-webhook"), message="%(version)s")
def group() -> None:
    """Place the virt-v2v convertor pods of Forklift as their migration plan specifies."""


group.add_command(serve)
group.add_command(certs)


def main() -> None:
    """Run the command line, and exit."""
    program.run(partial(group, standalone_mode=False), _log_traceback)


def _log_traceback(error: Exception) -> None:
    """Log the traceback of an error as a line like any other: operators find it where the rest is.

    Without a log, in commands other than `serve`, only that of an internal error.
    """
    if not structlog.is_configured():
        if isinstance(error, OSError):
            return
        logs.configure(logs.Format.AUTO, logs.Level.INFO)
    structlog.get_logger().error("unexpected error", exc_info=error)
