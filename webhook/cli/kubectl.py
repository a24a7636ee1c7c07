"""`kubectl convertor`: the commands for people who run migrations.

kubectl finds it as the program `kubectl-convertor` on the PATH. A command is imported when it is
called and not before, so that help and completion answer at once.
"""

import importlib
import sys
import traceback
from typing import NamedTuple

import click
from click.shell_completion import CompletionItem

from webhook.kube.messages import did_you_mean

PROGRAM = "kubectl-convertor"
"""As which kubectl finds it."""
COMPLETE_VARIABLE = "_KUBECTL_CONVERTOR_COMPLETE"
"""By which the completion script of a shell asks; it is click's."""

EXIT_UNEXPECTED = 70
"""EX_SOFTWARE of sysexits(3): a fault of ours."""


class _Command(NamedTuple):
    module: str
    help: str


COMMANDS = {
    "audit": _Command(
        "webhook.cli.audit.command", "Say what is, would be and was not placed, and why."
    ),
    "completion": _Command("webhook.cli.completion", "Print the completion script of a shell."),
    "explain": _Command(
        "webhook.cli.explain.command", "Say where a plan's pods may go, or why nowhere."
    ),
    "karl": _Command("webhook.cli.karl", "Compile, check or explain KARL rules."),
    "patch": _Command("webhook.cli.patch", "Change the convertor settings of a plan."),
    "review": _Command(
        "webhook.cli.review.command", "Show a pod before and after, without a cluster."
    ),
    "show": _Command("webhook.cli.show.command", "List plans and their convertor settings."),
}


class _LazyGroup(click.Group):
    """Commands by name, each the function of its own name in a module of its own."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(COMMANDS[cmd_name].module)
        command: click.Command = getattr(module, cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS and not ctx.resilient_parsing:
            ctx.fail(f"no such command '{args[0]}'{did_you_mean(args[0], COMMANDS)}")
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        found = [
            CompletionItem(name, help=COMMANDS[name].help)
            for name in self.list_commands(ctx)
            if name.startswith(incomplete)
        ]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name].help) for name in sorted(COMMANDS)])


@click.group(
    "kubectl convertor",
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option("--debug", is_flag=True, help="Print the trace of an unexpected error.")
@click.version_option(package_name="convertor-webhook", message="%(version)s")
def group(debug: bool) -> None:
    """Place the convertor pods of Forklift's migration plans.

    \b
    Exit codes: 0 fine; 1 found what the command was told to fail on;
    2 the command line or its input is wrong; 3 the cluster did not answer or refused.
    """  # noqa: D301 - click's mark for "do not wrap"


def main() -> None:
    """Run the command line; whatever happens, a person can read it."""
    try:
        group(prog_name="kubectl convertor", complete_var=COMPLETE_VARIABLE)
    except Exception as error:  # noqa: BLE001 - the last resort
        if "--debug" in sys.argv:
            traceback.print_exc()
        click.echo(
            f"Error: unexpected {type(error).__name__}: {error}\n"
            "This is a fault of the program; please report it with what --debug, given before "
            "the command's name, prints.",
            err=True,
        )
        sys.exit(EXIT_UNEXPECTED)
