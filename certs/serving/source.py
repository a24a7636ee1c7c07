"""Sources of serving certificates, as the server uses them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from certs.ca.certificate import KeyPair

WAITING_MESSAGE = "waiting until API servers know the CA"
"""The message of a source that is not ready yet and has no problem."""


@dataclass(frozen=True, slots=True)
class Status:
    """The state of a source, from which readiness, metrics and logs are made."""

    not_after: datetime | None = None
    """Expiry of the serving certificate."""
    ca_not_after: datetime | None = None
    """Expiry of the CA that signed it, if known."""
    ready: bool = False
    """There is a certificate, it has not expired, and API servers know its CA."""
    published: bool = False
    """Every caBundle accepted the certificate when last read; true if others publish the CA."""
    changes: int = 0
    """Key pairs served since the start, including the first."""
    repairs: int = 0
    """Repairs of a caBundle from which another client had removed the CA."""
    message: str = ""
    """The problem, or the reason for waiting; empty if there is none."""


class Source(Protocol):
    """A serving certificate that is renewed automatically.

    `start` is called once. From then on `on_change` gets every key pair to serve, including the
    first, in a thread of the source. TLS can use each of them.
    """

    def start(self, on_change: Callable[[KeyPair], None]) -> None: ...

    def current(self) -> KeyPair | None: ...

    def status(self) -> Status: ...

    def stop(self) -> None: ...
