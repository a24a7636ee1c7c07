"""`python -m certs`, also `convertor-webhook certs`: certificates shown, made, rotated by hand."""

import click


class _Commands(click.Group):
    """Commands that are imported when one is called.

    They need `cryptography`; the server, which mounts this group, may be made to do without.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's
        return ["issue", "rotate", "show"]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        from certs.cli import commands  # noqa: PLC0415 - that is what this class is for

        found: click.Command = getattr(commands, cmd_name)
        return found


certs = _Commands(
    "certs",
    help="Show, issue and rotate certificates by hand; nothing of it is ever necessary.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


if __name__ == "__main__":
    certs(prog_name="python -m certs")
