"""Completion of `kubectl-convertor` for shells, and of `kubectl convertor` for kubectl."""

import sys
from collections.abc import Sequence

import click
from click.shell_completion import CompletionItem, ShellComplete, get_completion_class

from webhook import program
from webhook.cli.kubectl import COMPLETE_VARIABLE, PROGRAM, group, print_traceback
from webhook.cli.output import write

_SHELLS = ("bash", "fish", "zsh")

# The last line for kubectl's completion is `:` and a number: the ShellCompDirective of
# github.com/spf13/cobra.
_FILES = 0
_NO_FILES = 4
_FOLDERS = 16
_DIRECTIVES = {"file": _FILES, "dir": _FOLDERS}


@click.command()
@click.argument("shell", type=click.Choice(_SHELLS))
def completion(shell: str) -> None:
    """Print the completion script of a shell, for kubectl-convertor.

    kubectl itself completes `kubectl convertor` if its own completion is set up and
    kubectl_complete-convertor, installed beside kubectl-convertor, is on the PATH.

    \b
    Examples:
      source <(kubectl convertor completion bash)
      kubectl convertor completion zsh > "${fpath[1]}/_kubectl-convertor"
      kubectl convertor completion fish | source
    """  # noqa: D301 - click's mark for "do not wrap"
    found = get_completion_class(shell)
    assert found is not None  # noqa: S101 - click has these three
    write(found(group, {}, PROGRAM, COMPLETE_VARIABLE).source())


def candidates() -> None:
    """Run `kubectl_complete-convertor`: print the completions of the last argument.

    Prints one completion a line, with a tab before its description, then a directive, as kubectl
    expects it from plugins.
    """
    program.run(lambda: write("\n".join(_lines(sys.argv[1:]))), print_traceback)


def _lines(words: Sequence[str]) -> list[str]:
    *before, start = words or [""]
    items = ShellComplete(group, {}, PROGRAM, "").get_completions(list(before), start)
    directive = next(
        (_DIRECTIVES[item.type] for item in items if item.type in _DIRECTIVES), _NO_FILES
    )
    found = [_line(item) for item in items if item.type == "plain"]
    return [*found, f":{directive}"]


def _line(item: CompletionItem) -> str:
    return f"{item.value}\t{item.help}" if item.help else str(item.value)
