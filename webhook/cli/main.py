"""`convertor-webhook`, the server's own command."""

import sys
from importlib.metadata import version
from typing import Any

import click
import structlog

from certs.cli.commands import certs
from webhook.cli.kubectl import EXIT_UNEXPECTED
from webhook.cli.serve import serve
from webhook.telemetry import logs


class _Group(click.Group):
    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command line; whatever happens, it ends with a line that says so.

        The trace is a line of the log like any other: operators find it where the rest is.
        """
        try:
            return super().main(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - the last resort
            if not structlog.is_configured():  # the command line itself failed
                logs.configure(logs.Format.AUTO, logs.Level.INFO)
            structlog.get_logger().exception("unexpected error")
            click.echo(f"Error: unexpected {type(error).__name__}: {error}", err=True)
            sys.exit(EXIT_UNEXPECTED)


@click.group(
    cls=_Group,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(version("convertor-webhook"), message="%(version)s")
def main() -> None:
    """Place the virt-v2v convertor pods of Forklift as their migration plan specifies."""


main.add_command(serve)
main.add_command(certs)
