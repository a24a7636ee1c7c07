"""What the commands print: for people on a terminal, plain when piped, YAML and JSON."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

if TYPE_CHECKING:
    from rich.console import Console

F = TypeVar("F", bound=Callable[..., Any])


def output_option(*formats: str) -> Callable[[F], F]:
    """Add `-o`; the first of the formats is the default."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(formats),
        default=formats[0],
        show_default=True,
        help="Form of the output.",
    )


def write(text: str) -> None:
    """Print a text as it is, with one line end."""
    click.echo(text.rstrip("\n"))


def console(*, stderr: bool = False) -> "Console":
    """Return where to print coloured texts: plain when piped and with NO_COLOR, never wrapped."""
    from rich.console import Console  # noqa: PLC0415 - help and completion do without

    return Console(stderr=stderr, soft_wrap=True, highlight=False, markup=False, emoji=False)


@contextmanager
def unlogged() -> Iterator[None]:
    """Keep the log of the server's own parts from the output."""
    import structlog  # noqa: PLC0415 - help and completion do without

    before = structlog.get_config()
    structlog.configure(processors=[_drop])
    try:
        yield
    finally:
        structlog.configure(**before)


def _drop(*_: Any) -> NoReturn:
    import structlog  # noqa: PLC0415 - see above

    raise structlog.DropEvent


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return columns as kubectl prints them; nothing is cut, and an empty cell is `<none>`."""
    lines = [header, *([cell or "<none>" for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "   ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def as_json(value: Any) -> str:
    """Return plain values as indented JSON."""
    import msgspec  # noqa: PLC0415 - help and completion do without

    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def as_yaml(value: Any) -> str:
    """Return plain values as YAML, in the order that they have."""
    import yaml  # noqa: PLC0415 - help and completion do without

    return str(yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100))


def structured(value: Any, form: str) -> str:
    """Return `value` as `json` or `yaml`."""
    return as_json(value) if form == "json" else as_yaml(value)
