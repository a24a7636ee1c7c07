"""Every `kubectl convertor` command in the documents is one that the program understands."""

import re
import shlex
from pathlib import Path

import click
import pytest

from webhook.cli.kubectl import group

DOCS = Path(__file__).parents[2] / "docs"
SAID = re.compile(r"(?:^|`|\$ )kubectl convertor ([^`\n]+)", re.MULTILINE)
COMMANDS = sorted(
    {
        (page.name, found.strip())
        for page in DOCS.glob("*.md")
        if page.name != "cli.md"  # whose own test runs what it shows
        for found in SAID.findall(page.read_text(encoding="utf-8").replace("\\\n", " "))
    }
)


def read(words: list[str]) -> None:
    """Have click read the words, down to the command that they name, and run nothing."""
    command: click.Command | None = group
    while isinstance(command, click.Group) and words:
        command = command.get_command(click.Context(command), words.pop(0))
    assert command is not None
    if words:  # in a sentence a command may stand without its arguments
        command.make_context(command.name, words)


def test_there_are_commands() -> None:
    assert {page for page, _ in COMMANDS} >= {"audit.md", "troubleshooting.md"}


@pytest.mark.parametrize(("page", "command"), COMMANDS)
def test_a_command_that_is_shown_is_understood(page: str, command: str) -> None:
    read(shlex.split(re.split(r" [|>] ", command)[0], comments=True))
