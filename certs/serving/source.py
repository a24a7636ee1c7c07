"""Where a server's certificate comes from, as the server sees it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from certs.ca.certificate import KeyPair

WAITING = "waiting until API servers know the CA"
"""The message of a source that is not ready yet, and has nothing to complain of."""


@dataclass(frozen=True, slots=True)
class Status:
    """How a source is doing; readiness, metrics and logs are made from it."""

    not_after: datetime | None = None
    """Of the leaf that is served."""
    ca_not_after: datetime | None = None
    """Of the CA that signed it, where it is known."""
    ready: bool = False
    """There is a certificate, its time is not over, and API servers know its CA."""
    published: bool = False
    """Every bundle at the last look accepts what is served; true where others see to that."""
    changes: int = 0
    """Pairs served since the start, the first one included."""
    repairs: int = 0
    """Bundles that others had damaged and that were put right."""
    message: str = ""
    """What is wrong or awaited, for people; empty when all is well."""


class Source(Protocol):
    """A certificate that is renewed by itself.

    `start` may be called once. `on_change` gets every pair that is to be served from then
    on, the first one included, from a thread of the source; a pair handed over is known to
    be one that TLS can use.
    """

    def start(self, on_change: Callable[[KeyPair], None]) -> None: ...

    def current(self) -> KeyPair | None: ...

    def status(self) -> Status: ...

    def stop(self) -> None: ...
