"""Every `kubectl convertor` command in the documents is one that the program understands."""

import re
import shlex
from pathlib import Path

import click
import pytest

from tests.support.paths import ROOT
from webhook.cli.kubectl import group

DOCS = ROOT / "docs"
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
    # A command keeps the names of its help flag, which its group decides.
    context = click.Context(group, **group.context_settings)
    while isinstance(command, click.Group) and words:
        command = command.get_command(context, words.pop(0))
    assert command is not None
    if words:  # in a sentence a command may be named without its arguments
        command.make_context(command.name, words, parent=context)


def test_there_are_commands() -> None:
    assert {page for page, _ in COMMANDS} >= {"audit.md", "troubleshooting.md"}


@pytest.mark.parametrize(("page", "command"), COMMANDS)
def test_a_command_that_is_shown_is_understood(
    page: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = shlex.split(re.split(r" [|>] ", command)[0], comments=True)
    monkeypatch.chdir(tmp_path)
    for word in words:
        if word.endswith(".yaml"):
            Path(word).touch()
    read(words)
