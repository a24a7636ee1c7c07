"""A CA and a certificate for a server that runs on its own, without a cluster."""

import os
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from certs.ca import pki
from certs.ca.certificate import Certificate, KeyPair
from certs.serving import handshake
from certs.serving.source import Status
from webhook.kube.messages import describe_os_error

NAMES = ("localhost", "127.0.0.1", "::1")
"""What a server without a cluster is called."""

LIFE = timedelta(days=365)

log = structlog.get_logger()


class LocalCAError(ValueError):
    """A name that cannot be certified, or a state directory that cannot be written."""


class LocalCA:
    """A source of certificates (`certs.serving.source`) that makes one, when it is started.

    The CA is written to `ca.crt` in a directory, for clients on this machine; its key lives in
    memory and dies with the server.
    """

    def __init__(self, names: Sequence[str], state_dir: Path | None = None) -> None:
        self.path: Path | None = None
        """Where the CA was written."""
        self._names = names
        self._state_dir = state_dir
        self._pair: KeyPair | None = None

    def start(self, on_change: Callable[[KeyPair], None]) -> None:
        """Make it. Raises LocalCAError: invalid name, or the state directory cannot be written."""
        self._pair, ca = make(self._names)
        self.path = publish(ca, self._state_dir)
        if self.path is None:
            log.warning("the CA cannot be written anywhere, so nobody can trust it")
        on_change(self._pair)

    def current(self) -> KeyPair | None:
        return self._pair

    def status(self) -> Status:
        if self._pair is None:
            return Status()
        until = self._pair.not_after
        return Status(not_after=until, ca_not_after=until, ready=True, published=True, changes=1)

    def stop(self) -> None:
        pass


def make(names: Sequence[str]) -> tuple[KeyPair, Certificate]:
    """Make a certificate for these names, and the CA that it is signed by.

    Raises LocalCAError for a name that is neither a DNS name nor an address.
    """
    now, hour = datetime.now(UTC), timedelta(hours=1)
    ca = pki.make_ca(now, LIFE, backdate=hour)
    try:
        leaf, key = pki.sign_leaf(ca, names, now, LIFE, backdate=hour)
    except ValueError as error:
        raise LocalCAError(f"--tls-name: {error}") from None
    return handshake.parse_key_pair(leaf.pem, key), ca.certificate


def publish(ca: Certificate, state_dir: Path | None = None) -> Path | None:
    """Write the CA to `ca.crt` in the state directory, and return where that is.

    Where none is given it is the user's, else a temporary one, else, where nothing can be
    written, none. Raises LocalCAError when the given one cannot be written to.
    """
    if state_dir is not None:
        try:
            return _write(state_dir, ca)
        except OSError as error:
            raise LocalCAError(f"--state-dir '{state_dir}': {describe_os_error(error)}") from None
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


def _write(directory: Path, ca: Certificate) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    # Whole or not at all: somebody may be reading the one of the server before.
    fresh = directory / f".ca.crt.{os.getpid()}"
    fresh.write_bytes(ca.pem)
    return fresh.replace(directory / "ca.crt")
