"""Every `kubectl convertor` command in the docs is valid."""

import re
import shlex
from pathlib import Path

import click
import pytest

from tests.support.paths import ROOT
from webhook.cli.kubectl import group

DOCS = ROOT / "docs"
COMMAND = re.compile(r"(?:^|`|\$ )kubectl convertor ([^`\n]+)", re.MULTILINE)
COMMANDS = sorted(
    {
        (page.name, found.strip())
        for page in DOCS.glob("*.md")
        if page.name != "cli.md"  # another test runs its commands
        for found in COMMAND.findall(page.read_text(encoding="utf-8").replace("\\\n", " "))
    }
)


def parse(words: list[str]) -> None:
    """Parse the words with click, without running the command."""
    command: click.Command | None = group
    # A command inherits the names of its help flag from its group.
    context = click.Context(group, **group.context_settings)
    while isinstance(command, click.Group) and words:
        command = command.get_command(context, words.pop(0))
    assert command is not None
    if words:  # a sentence may mention a command without its arguments
        command.make_context(command.name, words, parent=context)


def test_there_are_commands() -> None:
    assert {page for page, _ in COMMANDS} >= {"audit.md", "troubleshooting.md"}


@pytest.mark.parametrize(("page", "command"), COMMANDS)
def test_a_command_in_the_docs_is_valid(
    page: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = shlex.split(re.split(r" [|>] ", command)[0], comments=True)
    monkeypatch.chdir(tmp_path)
    for word in words:
        if word.endswith(".yaml"):
            Path(word).touch()
    parse(words)
