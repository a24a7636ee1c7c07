"""`python -m certs`, which `convertor-webhook certs` runs too."""

from functools import partial

from certs.cli.commands import certs
from webhook import program

if __name__ == "__main__":
    program.run(
        partial(certs, standalone_mode=False, prog_name="python -m certs"),
        lambda _: None,
    )
