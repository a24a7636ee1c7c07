"""The certificate that is served, and the files that it may come from."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from certs.loop import Loop
from webhook.config import ConfigError, read
from webhook.metrics import Metrics
from webhook.tls import CertificateError, Serving

EVERY = 10.0
"""Seconds between two looks at files."""

log = structlog.get_logger()


class Served:
    """What clients are shown, and what is told of it. Its methods may be called by any thread."""

    def __init__(self, metrics: Metrics, *, client_auth: bool = False) -> None:
        self.tls = Serving(client_auth=client_auth)
        self._metrics = metrics
        self._pair: tuple[bytes, bytes] | None = None
        self._client_ca: bytes | None = None

    def take(self, chain: bytes, key: bytes) -> None:
        """Serve this pair (PEM) from the next handshake on.

        Raises CertificateError, and then goes on with what was served before.
        """
        self._swap((chain, key), self._client_ca)
        certificate = self.tls.certificate
        if certificate is not None:
            self._metrics.certificate(expires=certificate.not_after.timestamp())
            log.info(
                "a certificate is taken into service",
                fingerprint=certificate.fingerprint,
                expires=certificate.not_after.isoformat(),
            )

    def trust(self, client_ca: bytes) -> None:
        """Serve clients of this CA (PEM) from the next handshake on. Raises CertificateError."""
        self._swap(self._pair, client_ca)

    def refuse(self, fault: Exception) -> None:
        """Tell that a new certificate or client CA cannot be served."""
        self._metrics.certificate_refused()
        log.warning("a new certificate is not taken into service", error=str(fault))

    def missing(self) -> str:
        """Say what keeps clients from trusting this server, for `/readyz`."""
        certificate = self.tls.certificate
        if certificate is None:
            return "no certificate is served yet"
        if certificate.not_after.timestamp() < time.time():
            return f"the certificate expired at {certificate.not_after.isoformat()}"
        return ""

    def _swap(self, pair: tuple[bytes, bytes] | None, client_ca: bytes | None) -> None:
        if pair is not None:
            self.tls.swap(*pair, client_ca)
        self._pair, self._client_ca = pair, client_ca


def watch(
    paths: Sequence[Path],
    changed: Callable[..., None],
    refused: Callable[[Exception], None],
    every: float = EVERY,
) -> Loop:
    """Call `changed` with the contents of these files, now and whenever they differ.

    Raises ConfigError for what is there now; what is wrong later goes to `refused`.
    The contents are looked at again and again because links, dates and notifications of
    mounted files all lie on one file system or another.
    """
    seen = load(paths)
    try:
        changed(*seen)
    except CertificateError as fault:
        names = ", ".join(f"'{path}'" for path in paths)
        raise ConfigError(f"{names}: {fault}") from None

    def look() -> float:
        nonlocal seen
        try:
            found = load(paths)
            if found != seen:
                seen = found
                changed(*found)
        except (ConfigError, CertificateError) as fault:
            refused(fault)
        return every

    loop = Loop(look, f"watch of {paths[0].name}")
    loop.start()
    return loop


def load(paths: Sequence[Path]) -> list[bytes]:
    """Read these files, those of one directory from one version of it. Raises ConfigError.

    Kubernetes replaces a mounted Secret by turning the link `..data` to a new directory; read
    through the link, a certificate and its key could be of different age.
    """
    versions = {path.parent: _version(path.parent) for path in paths}
    return [read(versions[path.parent] / path.name) for path in paths]


def _version(directory: Path) -> Path:
    data = directory / "..data"
    return data.resolve() if data.exists() else directory
