"""Output of the commands: coloured on a terminal, plain when piped, YAML or JSON."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click
import msgspec

from webhook.kube.messages import escape

if TYPE_CHECKING:
    from rich.console import Console

F = TypeVar("F", bound=Callable[..., Any])

_WIDTH = 100


def output_option(*formats: str) -> Callable[[F], F]:
    """Add `-o`; the first of the formats is the default."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(formats),
        default=formats[0],
        show_default=True,
        help="Output format.",
    )


def notify(text: str) -> None:
    """Print a note, warning or error to standard error."""
    click.echo(escape(text, keep="\n"), err=True)


def write(text: str) -> None:
    """Print a text unchanged, with one line end."""
    click.echo(text.rstrip("\n"))


def console(*, stderr: bool = False) -> "Console":
    """Return a console for coloured texts: plain when piped or with NO_COLOR, never wrapped."""
    from rich.console import Console  # noqa: PLC0415 - help and completion do not load it

    return Console(
        stderr=stderr,
        soft_wrap=True,
        highlight=False,
        markup=False,
        emoji=False,
        width=_WIDTH,  # of no effect, but with COLUMNS=0 nothing would be printed
    )


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return columns as kubectl prints them; an empty cell is `<none>`, and none is truncated."""
    lines = [header, *([escape(cell) or "<none>" for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "   ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def as_json(value: Any) -> str:
    """Return plain values as indented JSON, with escapes for all that is not printable."""
    text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    return escape(text, keep="\n")


def as_yaml(value: Any) -> str:
    """Return plain values as YAML, in their order, with escapes for all that is not printable."""
    import yaml  # noqa: PLC0415 - help and completion do not load it

    plain = msgspec.to_builtins(value)  # a copy without shared parts, which YAML would name

    def dump(*, allow_unicode: bool) -> str:
        return str(
            yaml.safe_dump(plain, sort_keys=False, allow_unicode=allow_unicode, width=_WIDTH)
        )

    text = dump(allow_unicode=True)
    is_printable = escape(text, keep="\n") == text
    return text if is_printable else dump(allow_unicode=False)


def structured(value: Any, form: str) -> str:
    """Return `value` as `json` or `yaml`."""
    return as_json(value) if form == "json" else as_yaml(value)
