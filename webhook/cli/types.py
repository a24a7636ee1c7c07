"""Values on the command line that have a form of their own."""

from collections.abc import Callable
from typing import Any

import click
from click.shell_completion import CompletionItem

from webhook.config import ConfigError


class Parsed(click.ParamType[Any]):
    """A value that `read` makes of a text; its ConfigError becomes the flag's error."""

    def __init__(self, name: str, read: Callable[[str], Any]) -> None:
        self.name = name
        self._read = read

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return self._read(value)
        except ConfigError as error:
            self.fail(str(error), param, ctx)


def complete_path(_ctx: click.Context, _param: click.Parameter, start: str) -> list[CompletionItem]:
    """Leave it to the shell to complete the name of a file."""
    return [CompletionItem(start, type="file")]
