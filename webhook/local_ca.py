"""A CA and a certificate for a server that runs on its own, without a cluster."""

import os
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from webhook.config import ConfigError, in_words

NAMES = ("localhost", "127.0.0.1", "::1")


class Made(NamedTuple):
    """PEM, all of it."""

    cert: bytes
    key: bytes
    ca: bytes


def make(names: Sequence[str]) -> Made:
    """Make a certificate for these names, and a CA for it.

    Both are good for a year and live in memory; a restart makes new ones. Raises ConfigError
    for a name that is neither a DNS name nor an address.
    """
    from certs import pki  # noqa: PLC0415 - its OpenSSL is a second one: only where it is needed

    now, year, hour = datetime.now(UTC), timedelta(days=365), timedelta(hours=1)
    ca = pki.make_ca(now, year, backdate=hour)
    try:
        leaf, key = pki.sign_leaf(ca, names, now, year, backdate=hour)
    except ValueError as error:
        raise ConfigError(f"--tls-name: {error}") from None
    return Made(leaf.pem, key, ca.certificate.pem)


def publish(ca: bytes, state_dir: Path | None) -> Path | None:
    """Write the CA to `ca.crt` in the state directory, for clients to trust; return where.

    Where none is given it is the user's, else a temporary one, else, where nothing can be
    written, none. Raises ConfigError when the given one cannot be written to.
    """
    if state_dir is not None:
        try:
            return _write(state_dir, ca)
        except OSError as error:
            reason = in_words(error)
            raise ConfigError(f"--state-dir {state_dir}: {reason}") from None
    for directory in (_users, _temporary):
        try:
            return _write(directory(), ca)
        except (OSError, RuntimeError):  # a read-only file system; a user without a home
            continue
    return None


def _users() -> Path:
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "convertor-webhook"


def _temporary() -> Path:
    return Path(tempfile.mkdtemp(prefix="convertor-webhook-"))


def _write(directory: Path, ca: bytes) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "ca.crt"
    # Whole or not at all: somebody may be reading the one of the server before.
    fresh = directory / f".ca.crt.{os.getpid()}"
    fresh.write_bytes(ca)
    return fresh.replace(path)
