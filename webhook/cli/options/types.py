"""Values on the command line that have a form of their own.

`server.config` reads them, and all that it takes to read settings; that is a fifth of a second,
and help and completion do without.
"""

from collections.abc import Callable
from typing import Any

import click
from click.shell_completion import CompletionItem


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
        except _error() as error:  # which is called only where there is an exception
            self.fail(str(error), param, ctx)


def _error() -> type[Exception]:
    from webhook.server.config import ConfigError  # noqa: PLC0415 - see above

    return ConfigError


def configured(name: str) -> Callable[[str], Any]:
    """Return a function of `webhook.server.config`, by its name; it is loaded when it is called."""

    def read(text: str) -> Any:
        from webhook.server import config  # noqa: PLC0415 - see above

        return getattr(config, name)(text)

    return read


def complete_path(_ctx: click.Context, _param: click.Parameter, start: str) -> list[CompletionItem]:
    """Leave it to the shell to complete the name of a file."""
    return [CompletionItem(start, type="file")]
