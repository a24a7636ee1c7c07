"""`python -m certs`, which `convertor-webhook certs` runs too."""

from certs.cli.commands import certs

if __name__ == "__main__":
    certs(prog_name="python -m certs")
