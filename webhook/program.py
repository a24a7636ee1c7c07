"""The surroundings of every program: standard streams, warnings of libraries, last errors.

A program may be started without standard streams, with a full disk behind them, in any locale, and
be interrupted. None of that is an internal error, and none of it is handled by the commands.
"""

import io
import os
import select
import signal
import sys
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

import click

from webhook.kube.messages import describe_os_error, escape

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

EXIT_ENVIRONMENT = 2
"""A stream or a file cannot be used. It is the code of errors that the user can correct."""
EXIT_UNEXPECTED = 70
"""EX_SOFTWARE of sysexits(3): an internal error."""
EXIT_INTERRUPTED = 128 + signal.SIGINT
EXIT_READER_GONE = 128 + signal.SIGPIPE
"""As shells report a program that SIGPIPE has ended, such as the first of `kubectl … | head -1`."""


class OutputError(Exception):
    """Standard output cannot be written. Not an OSError, which click would handle itself."""

    def __init__(self, error: OSError) -> None:
        super().__init__(f"cannot write standard output: {describe_os_error(error)}")
        self.is_reader_gone = isinstance(error, BrokenPipeError)


def run(
    call: Callable[[], object], log_traceback: Callable[[Exception], None], hint: str = ""
) -> NoReturn:
    """Run a command, and exit with the code that it returns; None is 0.

    `call` runs a click command with `standalone_mode=False`. `log_traceback` is called, while it
    is handled, with an error that the command does not handle; `hint` follows its message if it
    is an internal error.
    """
    _prepare_streams()
    # Warnings are for the developers of libraries. Users get them on request: PYTHONWARNINGS.
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    sys.exit(_run(call, log_traceback, hint))


def _run(call: Callable[[], object], log_traceback: Callable[[Exception], None], hint: str) -> int:
    try:
        returned = call()
        code = returned if isinstance(returned, int) else 0
    except click.ClickException as error:
        # It may quote a file or an API server. Of what `show` prints, click drops some escapes.
        error.message = escape(error.message, keep="\n")  # type: ignore[misc]
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):  # click makes an Abort of a KeyboardInterrupt
        code = EXIT_INTERRUPTED
    except OutputError as error:
        code = EXIT_READER_GONE if error.is_reader_gone else EXIT_ENVIRONMENT
        if not error.is_reader_gone:
            click.echo(f"Error: {error}", err=True)
    except OSError as error:
        log_traceback(error)
        place = f"'{error.filename}': " if error.filename else ""
        click.echo(f"Error: {escape(place)}{describe_os_error(error)}", err=True)
        code = EXIT_ENVIRONMENT
    except Exception as error:  # noqa: BLE001 - the last resort
        log_traceback(error)
        text = escape(f"Error: unexpected {type(error).__name__}: {error}{hint}", keep="\n")
        click.echo(text, err=True)
        code = EXIT_UNEXPECTED
    return code


def _prepare_streams() -> None:
    """Replace the interpreter's standard streams, but not those of a test or another program.

    A closed descriptor becomes /dev/null: otherwise the next file or connection would get its
    number, and output for the stream.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - stays open
    if sys.stdout is sys.__stdout__:
        sys.stdout = _open_text(_StandardOutput(1, "w", closefd=False), sys.stdout)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _open_text(_StandardError(2, "w", closefd=False), sys.stderr)


def _open_text(raw: io.FileIO, replaced: io.TextIOWrapper | None) -> io.TextIOWrapper:
    """Return a text stream to which every text can be written.

    The encoding of the locale is that of a terminal. Files and pipes get UTF-8, as from kubectl:
    JSON and YAML are defined to be UTF-8.
    """
    is_terminal = raw.isatty()
    encoding = replaced.encoding if is_terminal and replaced else "utf-8"
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=encoding,
        errors="backslashreplace",
        line_buffering=is_terminal,
    )


class _StandardOutput(io.FileIO):
    """Standard output: its first error ends the command, and what is written then is discarded."""

    _is_lost = False

    def write(self, data: "ReadableBuffer", /) -> int:
        while not self._is_lost:
            try:
                written = super().write(data)
            except OSError as error:
                self._is_lost = True
                raise OutputError(error) from None
            if written is not None:
                return written
            select.select([], [self], [])  # another program has made the stream non-blocking
        return len(memoryview(data))


class _StandardError(io.FileIO):
    """Standard error: what cannot be written is discarded, for there is nowhere to report it.

    The server serves without its log, and a command has an exit code.
    """

    def write(self, data: "ReadableBuffer", /) -> int:
        try:
            written = super().write(data)
        except OSError:
            written = None
        return len(memoryview(data)) if written is None else written
