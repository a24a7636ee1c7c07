"""The values that certificates are here: one certificate, a CA with its key, a pair to serve.

What is read of a certificate is its identity and its dates, and that is read from the DER
itself: a bundle is kept in every mode, and `cryptography`, whose wheel carries an OpenSSL
of its own, is imported only where certificates are made (`certs.ca.pki`).
"""

import base64
import binascii
import functools
import hashlib
import re
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

_BLOCK = re.compile(rb"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.DOTALL)

_LINES = re.compile(
    rb"^-----BEGIN CERTIFICATE-----[ \t]*\r?\n"
    rb"([A-Za-z0-9+/= \t\r\n]+)\n"
    rb"-----END CERTIFICATE-----[ \t]*(?:\r?\n|\Z)",
    re.MULTILINE,
)
"""What Go's `encoding/pem` takes for a certificate: BEGIN and END are lines of their own."""

_SEQUENCE, _VERSION, _UTC_TIME, _GENERALIZED_TIME = 0x30, 0xA0, 0x17, 0x18
_FIELDS_BEFORE_VALIDITY = 3
"""Serial number, signature algorithm, issuer (RFC 5280, 4.1); an explicit version is extra."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """An X.509 certificate: its bytes, and what of them decides about its use here."""

    der: bytes = field(repr=False)
    fingerprint: str
    """SHA-256 of the DER, in lower-case hex."""
    not_before: datetime
    not_after: datetime

    @property
    def pem(self) -> bytes:
        body = "\n".join(textwrap.wrap(base64.b64encode(self.der).decode("ascii"), 64))
        return f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n".encode("ascii")


TrustBundle = tuple[Certificate, ...]
"""The certificates of one `caBundle`."""


@dataclass(frozen=True, slots=True)
class Authority:
    """A CA that can sign."""

    certificate: Certificate
    key: bytes = field(repr=False)
    """PKCS #8, PEM, without a password."""


@dataclass(frozen=True, slots=True)
class Pair:
    """What a server needs: the leaf with the certificates that link it to a root, and its key."""

    chain: bytes
    """PEM, the leaf first."""
    key: bytes = field(repr=False)
    """PEM, without a password."""
    not_after: datetime
    """Of the leaf."""


def to_pem(certificates: Iterable[Certificate]) -> bytes:
    return b"".join(certificate.pem for certificate in certificates)


def parse(pem: bytes) -> tuple[Certificate, ...]:
    """Read every certificate in a text, in order; what is none is passed over."""
    return _read(_BLOCK.findall(pem))


def parse_as_go(pem: bytes) -> tuple[Certificate, ...]:
    """Read the certificates that an API server finds in a text.

    It passes over those that people see and `parse` reads: behind a certificate whose last line
    was not ended, or indented.
    """
    return _read(_LINES.findall(pem))


def _read(bodies: Iterable[bytes]) -> tuple[Certificate, ...]:
    found = []
    for body in bodies:
        try:
            found.append(from_der(base64.b64decode(b"".join(body.split()), validate=True)))
        except (ValueError, binascii.Error):
            continue
    return tuple(found)


@functools.lru_cache(maxsize=256)  # every round reads the same few again
def from_der(der: bytes) -> Certificate:
    """Read a certificate's dates; ValueError where the bytes are none."""
    try:
        not_before, not_after = _validity(der)
    except IndexError:
        raise ValueError("a certificate ends too early") from None
    return Certificate(der, hashlib.sha256(der).hexdigest(), not_before, not_after)


def _validity(der: bytes) -> tuple[datetime, datetime]:
    at, end = _enter(der, 0, _SEQUENCE)
    if end != len(der):
        raise ValueError("a certificate is longer or shorter than it says")
    at, _ = _enter(der, at, _SEQUENCE)
    if der[at] == _VERSION:
        _, at = _content(der, at)
    for _ in range(_FIELDS_BEFORE_VALIDITY):
        _, at = _content(der, at)
    at, _ = _enter(der, at, _SEQUENCE)
    not_before, at = _time(der, at)
    not_after, _ = _time(der, at)
    return not_before, not_after


def _enter(der: bytes, at: int, tag: int) -> tuple[int, int]:
    if der[at] != tag:
        raise ValueError(f"expected DER tag {tag:#x} at {at}, found {der[at]:#x}")
    return _content(der, at)


def _content(der: bytes, at: int) -> tuple[int, int]:
    """Where the content of the element at `at` starts and ends."""
    length, start = der[at + 1], at + 2
    if length & 0x80:
        octets = length & 0x7F
        length, start = int.from_bytes(der[start : start + octets]), start + octets
    return start, start + length


def _time(der: bytes, at: int) -> tuple[datetime, int]:
    start, end = _content(der, at)
    text = der[start:end].decode("ascii")
    if der[at] == _UTC_TIME:
        # RFC 5280: 50 to 99 are of the last century.
        text = ("19" if text[:2] >= "50" else "20") + text
    elif der[at] != _GENERALIZED_TIME:
        raise ValueError(f"expected a time at {at}, found DER tag {der[at]:#x}")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC), end
