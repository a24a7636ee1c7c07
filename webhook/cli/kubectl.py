"""`kubectl convertor`: the commands for people who run migrations.

kubectl finds it as the program `kubectl-convertor` on the PATH. A command's module is imported only
when it is called, and imports what it needs to run only then, so help and completion are quick.
"""

import importlib
import sys
import traceback
from functools import partial
from typing import NamedTuple

import click
from click.shell_completion import CompletionItem

from webhook import program
from webhook.kube.messages import did_you_mean

_NAME = "kubectl convertor"
PROGRAM = "kubectl-convertor"
"""The file name by which kubectl finds the plugin."""
COMPLETE_VARIABLE = "_KUBECTL_CONVERTOR_COMPLETE"
"""The variable of click's completion scripts."""


class _Command(NamedTuple):
    module: str
    help: str


COMMANDS = {
    "audit": _Command(
        "webhook.cli.audit.command",
        "Report which pods are placed, would change or were missed.",
    ),
    "completion": _Command("webhook.cli.completion", "Print the completion script of a shell."),
    "explain": _Command(
        "webhook.cli.explain.command", "Explain a plan's settings and which nodes its pods fit."
    ),
    "karl": _Command("webhook.cli.karl", "Compile, check or explain KARL rules."),
    "patch": _Command("webhook.cli.patch.command", "Change the convertor settings of a plan."),
    "review": _Command(
        "webhook.cli.review.command", "Show a pod before and after its review, without a cluster."
    ),
    "show": _Command("webhook.cli.show.command", "List plans and their convertor settings."),
}


class _LazyGroup(click.Group):
    """A group that imports a command when it is called: the function named like the command."""

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
    _NAME,
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option("--debug", is_flag=True, help="Print the stack trace of an unexpected error.")
@click.version_option(package_name="convertor-webhook", message="%(version)s")
def group(debug: bool) -> None:
    """Place the pods of Forklift's migration plans.

    \b
    Exit codes: 0 success; 1 the command found what it fails on, such as problems;
    2 the command line or its input is invalid; 3 the cluster refused or did not respond.
    """  # noqa: D301 - click's mark for "do not wrap"


def main() -> None:
    """Run the command line, and exit."""
    program.run(
        partial(group, standalone_mode=False, prog_name=_NAME, complete_var=COMPLETE_VARIABLE),
        print_traceback,
        "\nThis is an internal error; please report it with the output of --debug, given before "
        "the command's name.",
    )


def print_traceback(error: Exception) -> None:
    """Print the traceback of an error with `--debug`."""
    if "--debug" in sys.argv:
        traceback.print_exception(error)
