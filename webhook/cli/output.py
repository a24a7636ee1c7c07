"""What the commands print: for people on a terminal, plain when piped, YAML and JSON."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

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


def read_text(path: str) -> str:
    """Read a file given on the command line, standard input for `-`.

    Raises:
        click.UsageError: the file cannot be read; the message says why.

    """
    try:
        with click.open_file(path, encoding="utf-8") as stream:
            return str(stream.read())
    except UnicodeDecodeError as error:
        raise click.UsageError(f"'{path}': byte {error.start} is not UTF-8") from None
    except OSError as error:
        raise click.UsageError(f"'{path}': {(error.strerror or str(error)).lower()}") from None
