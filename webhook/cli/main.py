"""`convertor-webhook`, the server's own command."""

from importlib.metadata import version

import click

from certs.__main__ import certs
from webhook.cli.serve import serve


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(version("convertor-webhook"), message="%(version)s")
def main() -> None:
    """Put the virt-v2v convertor pods of Forklift where their migration plan wants them."""


main.add_command(serve)
main.add_command(certs)
