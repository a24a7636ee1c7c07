"""Check certificates, keys and chains as a TLS client would."""

import functools
import ipaddress
import re
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from certs.ca.certificate import Authority, Certificate

_DNS_NAME = re.compile(r"(?:\*\.)?[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?", re.IGNORECASE)

_PARSE_ERRORS = (
    ValueError,
    TypeError,
    InvalidSignature,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
"""The exceptions of `cryptography` for a damaged certificate or key: it parses extensions, public
key and signature of a certificate only when they are read."""

PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey
SigningKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


class PkiError(ValueError):
    """A certificate, key or name that cannot be used; the text says why."""


class Description(NamedTuple):
    """Subject, issuer and subject alternative names of a certificate."""

    subject: str
    issuer: str
    names: tuple[str, ...]
    """DNS names and IP addresses."""


def describe(certificate: Certificate) -> Description:
    """Return the names in a certificate; PkiError if they cannot be parsed."""
    parsed = certificate.parsed
    try:
        return Description(
            parsed.subject.rfc4514_string(),
            parsed.issuer.rfc4514_string(),
            _read_names(parsed),
        )
    except _PARSE_ERRORS as error:
        raise _make_parse_error(error) from None


@functools.lru_cache(maxsize=64)  # every round checks the same few certificates again
def check_ca(certificate: Certificate) -> str | None:
    """Return why this certificate cannot be published as a CA; None if it can.

    A self-signature proves nothing to clients that trust the CA, but it detects a changed byte.
    A CA that another one has signed names the key of that one (RFC 5280, 4.2.1.1) and is not
    checked for that.
    """
    parsed = certificate.parsed
    try:
        extensions = parsed.extensions
        constraints = extensions.get_extension_for_class(x509.BasicConstraints).value
        if parsed.issuer == parsed.subject or not _has_extension(
            extensions, x509.AuthorityKeyIdentifier
        ):
            parsed.verify_directly_issued_by(parsed)
    except x509.ExtensionNotFound:
        return "its certificate is not a CA: it has no basic constraints"
    except InvalidSignature:
        return "its certificate is damaged: the signature does not match"
    except _PARSE_ERRORS as error:
        return str(_make_parse_error(error))
    return None if constraints.ca else "its certificate is not a CA"


def check_authority(ca: Authority) -> str | None:
    """Return why this certificate and key cannot sign as a CA; None if they can."""
    try:
        matches = load_key(ca.key).public_key() == read_public_key(ca.certificate.parsed)
    except PkiError as error:
        return str(error)
    if not matches:
        return "its key does not belong to its certificate"
    return check_ca(ca.certificate)


def is_cross_signed(cross: Certificate, of: Certificate, by: Certificate) -> bool:
    """Return whether `cross` is CA `of` as signed by CA `by`."""
    try:
        cross.parsed.verify_directly_issued_by(by.parsed)
        same_subject = cross.parsed.subject == of.parsed.subject
        return same_subject and read_public_key(cross.parsed) == read_public_key(of.parsed)
    except _PARSE_ERRORS:
        return False


def verify(
    chain: Sequence[Certificate], roots: Sequence[Certificate], name: str, now: datetime
) -> str | None:
    """Return why a client that trusts `roots` rejects this chain, leaf first; None if it does not.

    `name` is the DNS name or IP address by which the client calls the server.
    """
    if not roots:
        return "there is no certificate to trust"
    try:
        store = Store([root.parsed for root in roots])
        subject = parse_general_name(name)
        verifier = PolicyBuilder().store(store).time(now).build_server_verifier(subject)
        verifier.verify(chain[0].parsed, [link.parsed for link in chain[1:]])
    except VerificationError as error:
        return str(error)
    return None


def parse_general_name(name: str) -> x509.DNSName | x509.IPAddress:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        if not _DNS_NAME.fullmatch(name):
            raise PkiError(f"expected a DNS name or an IP address, found {name!r}") from None
        return x509.DNSName(name)


def load_key(pem: bytes) -> SigningKey:
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except _PARSE_ERRORS as error:
        raise PkiError(f"its key cannot be read: {error}") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise PkiError("expected an EC or RSA key")
    return key


def read_public_key(certificate: x509.Certificate) -> PublicKey:
    try:
        key = certificate.public_key()
    except _PARSE_ERRORS as error:
        raise _make_parse_error(error) from None
    if not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        raise PkiError("expected a CA with an EC or RSA key")
    return key


def _make_parse_error(error: Exception) -> PkiError:
    return PkiError(f"its certificate cannot be read: {error}")


def _has_extension(extensions: x509.Extensions, kind: type[x509.ExtensionType]) -> bool:
    return any(isinstance(extension.value, kind) for extension in extensions)


def _read_names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return (
        *names.get_values_for_type(x509.DNSName),
        *(str(address) for address in names.get_values_for_type(x509.IPAddress)),
    )
