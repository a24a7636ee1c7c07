"""Certificates, CAs with their keys and key pairs as values, read from PEM and written to it."""

import base64
import functools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

_BEGIN = b"-----BEGIN CERTIFICATE-----"
_END = b"-----END CERTIFICATE-----"

_GO_BLOCK = re.compile(
    rb"^-----BEGIN CERTIFICATE-----[ \t]*\r?\n"
    rb"([A-Za-z0-9+/= \t\r\n]+)\n"
    rb"-----END CERTIFICATE-----[ \t]*(?:\r?\n|\Z)",
    re.MULTILINE,
)
"""A certificate for Go's `encoding/pem`: BEGIN and END are lines of their own."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """An X.509 certificate, with the fields that rotation and publishing compare."""

    parsed: x509.Certificate = field(repr=False)
    fingerprint: str
    """SHA-256 of the DER, in lower-case hex."""
    not_before: datetime
    not_after: datetime

    @property
    def pem(self) -> bytes:
        return self.parsed.public_bytes(Encoding.PEM)


TrustBundle = tuple[Certificate, ...]
"""The certificates of one `caBundle`."""


@dataclass(frozen=True, slots=True)
class Authority:
    """A CA with the private key to sign with."""

    certificate: Certificate
    key: bytes = field(repr=False)
    """PKCS #8, PEM, without a password."""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A serving certificate and its private key."""

    chain: bytes
    """PEM: the leaf, then its intermediates."""
    key: bytes = field(repr=False)
    """PEM, without a password."""
    leaf: Certificate
    """The first certificate of `chain`."""

    @property
    def not_after(self) -> datetime:
        return self.leaf.not_after


def encode_pem(certificates: Iterable[Certificate]) -> bytes:
    return b"".join(certificate.pem for certificate in certificates)


def parse_pem(pem: bytes) -> tuple[Certificate, ...]:
    """Parse the certificates in a text, in order; blocks that cannot be parsed are skipped."""
    return _skip_errors(parse_blocks(pem))


def parse_blocks(pem: bytes) -> tuple[Certificate | str, ...]:
    """Parse every certificate block of a text; for one that cannot be parsed return the error."""
    return tuple(map(_parse_block, _find_blocks(pem)))


def _find_blocks(pem: bytes) -> Iterator[bytes]:
    """Yield what is between each BEGIN and the next END; a BEGIN without an END is skipped."""
    end = 0
    while (begin := pem.find(_BEGIN, end)) >= 0:
        begin += len(_BEGIN)
        if (end := pem.find(_END, begin)) < 0:
            return
        yield pem[begin:end]


def parse_pem_as_go(pem: bytes) -> tuple[Certificate, ...]:
    """Parse the certificates that an API server finds in a text.

    Go skips blocks that `parse_pem` reads: indented ones, and those that start on the line on
    which another block ends.
    """
    return _skip_errors(map(_parse_block, _GO_BLOCK.findall(pem)))


@functools.lru_cache(maxsize=256)  # every round reads the same few certificates again
def parse_der(der: bytes) -> Certificate:
    """Parse a certificate; ValueError if it is not one."""
    try:
        parsed = x509.load_der_x509_certificate(der)
    except x509.InvalidVersion as error:
        raise ValueError(str(error)) from None
    return Certificate(
        parsed,
        parsed.fingerprint(hashes.SHA256()).hex(),
        parsed.not_valid_before_utc,
        parsed.not_valid_after_utc,
    )


def _parse_block(body: bytes) -> Certificate | str:
    try:
        return parse_der(base64.b64decode(b"".join(body.split()), validate=True))
    except ValueError as error:
        return f"a certificate cannot be read: {error}"


def _skip_errors(blocks: Iterable[Certificate | str]) -> tuple[Certificate, ...]:
    return tuple(block for block in blocks if isinstance(block, Certificate))
