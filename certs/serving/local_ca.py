"""A CA and a certificate for a server that runs without a cluster."""

import os
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from certs.ca import pki
from certs.ca.certificate import Certificate, KeyPair
from certs.serving.handshake import parse_key_pair
from certs.serving.source import Status
from webhook.kube.messages import describe_os_error

LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
"""The names by which clients on this machine call the server."""

_LIFETIME = timedelta(days=365)
_BACKDATE = timedelta(hours=1)

log = structlog.get_logger()


class LocalCAError(ValueError):
    """A name that no certificate can have, or a state directory that cannot be written."""


class LocalCA:
    """A `Source` (`certs.serving.source`) that creates a CA and a certificate when it starts.

    The CA is written to `ca.crt` in a directory, for clients on this machine. Its key is kept in
    memory only.
    """

    def __init__(self, names: Sequence[str], state_dir: Path | None = None) -> None:
        self.path: Path | None = None
        """The file that the CA was written to."""
        self._names = names
        self._state_dir = state_dir
        self._pair: KeyPair | None = None

    def start(self, on_change: Callable[[KeyPair], None]) -> None:
        """Create CA and certificate. Raises LocalCAError."""
        self._pair, ca = create_key_pair(self._names)
        self.path = write_ca(ca, self._state_dir)
        if self.path is None:
            log.warning("the CA cannot be written to any directory, so no client can trust it")
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


def create_key_pair(names: Sequence[str]) -> tuple[KeyPair, Certificate]:
    """Create a serving certificate for these names, and the CA that signs it.

    Raises LocalCAError for a name that is neither a DNS name nor an IP address.
    """
    now = datetime.now(UTC)
    ca = pki.make_ca(now, _LIFETIME, backdate=_BACKDATE)
    try:
        leaf, key = pki.sign_leaf(ca, names, now, _LIFETIME, backdate=_BACKDATE)
    except ValueError as error:
        raise LocalCAError(f"--tls-name: {error}") from None
    return parse_key_pair(leaf.pem, key), ca.certificate


def write_ca(ca: Certificate, state_dir: Path | None = None) -> Path | None:
    """Write the CA to `ca.crt` in the state directory, and return the path.

    Without `state_dir` it is the user's, or a temporary one, or None if neither can be written.
    Raises LocalCAError if `state_dir` cannot be written.
    """
    if state_dir is not None:
        try:
            return _write(state_dir, ca)
        except OSError as error:
            raise LocalCAError(f"--state-dir '{state_dir}': {describe_os_error(error)}") from None
    for directory in (_user_directory, _temporary_directory):
        try:
            return _write(directory(), ca)
        except (OSError, RuntimeError):  # a read-only file system; a user without a home
            continue
    return None


def _user_directory() -> Path:
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "convertor-webhook"


def _temporary_directory() -> Path:
    return Path(tempfile.mkdtemp(prefix="convertor-webhook-"))


def _write(directory: Path, ca: Certificate) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    # Atomically: a client may be reading the file of the previous server.
    new = directory / f".ca.crt.{os.getpid()}"
    new.write_bytes(ca.pem)
    return new.replace(directory / "ca.crt")
