"""Create and verify CAs, serving certificates and cross-signed CAs.

Keys are P-256 and signatures ECDSA with SHA-256, which every API server accepts, FIPS builds
included. Times are arguments: nothing here reads a clock.
"""

import functools
import ipaddress
import re
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from certs.ca.certificate import Authority, Certificate, parse_der

SUBJECT = "convertor-webhook"

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

_PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey
_SigningKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


class PkiError(ValueError):
    """A certificate, key or name that cannot be used; the text says why."""


def make_ca(now: datetime, lifetime: timedelta, *, backdate: timedelta) -> Authority:
    """Create a self-signed CA, valid from `backdate` before `now` until `lifetime` after it."""
    key = ec.generate_private_key(ec.SECP256R1())
    # Every CA has a unique subject, because clients find an issuer by its subject.
    name = _make_name(f"{SUBJECT} CA {secrets.token_hex(4)}")
    builder = _create_builder(name, name, key.public_key(), now - backdate, now + lifetime)
    # One CA may be below it: the successor that it cross-signs.
    return Authority(_sign(_add_ca_extensions(builder, path_length=1), key), _encode_key(key))


def cross_sign(successor: Certificate, by: Authority) -> Certificate:
    """Cross-sign a new CA: its subject and public key, signed by the old CA.

    Served with a leaf of the new CA, it lets clients that trust only the old CA verify that leaf.
    """
    new, issuer, key = successor.parsed, by.certificate.parsed, _load_key(by.key)
    until = min(successor.not_after, by.certificate.not_after)
    builder = _create_builder(
        new.subject, issuer.subject, _read_public_key(new), successor.not_before, until
    )
    builder = _add_ca_extensions(builder, path_length=0).add_extension(
        _make_authority_key_identifier(issuer), critical=False
    )
    return _sign(builder, key)


def sign_leaf(
    ca: Authority, names: Sequence[str], now: datetime, lifetime: timedelta, *, backdate: timedelta
) -> tuple[Certificate, bytes]:
    """Create a serving certificate and its key (PEM), which expires no later than its CA.

    `names` are DNS names or IP addresses; PkiError if one is neither.
    """
    issuer, issuer_key = ca.certificate.parsed, _load_key(ca.key)
    key = ec.generate_private_key(ec.SECP256R1())
    until = min(now + lifetime, ca.certificate.not_after)
    builder = _create_builder(
        _make_name(SUBJECT), issuer.subject, key.public_key(), now - backdate, until
    )
    builder = (
        builder.add_extension(
            x509.SubjectAlternativeName([_parse_general_name(name) for name in names]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_make_key_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(_make_authority_key_identifier(issuer), critical=False)
    )
    return _sign(builder, issuer_key), _encode_key(key)


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
        matches = _load_key(ca.key).public_key() == _read_public_key(ca.certificate.parsed)
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
        return same_subject and _read_public_key(cross.parsed) == _read_public_key(of.parsed)
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
        subject = _parse_general_name(name)
        verifier = PolicyBuilder().store(store).time(now).build_server_verifier(subject)
        verifier.verify(chain[0].parsed, [link.parsed for link in chain[1:]])
    except VerificationError as error:
        return str(error)
    return None


def _create_builder(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: _PublicKey,
    not_before: datetime,
    not_after: datetime,
) -> x509.CertificateBuilder:
    identifier = x509.SubjectKeyIdentifier.from_public_key(public_key)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_after)
        .add_extension(identifier, critical=False)
    )


def _add_ca_extensions(
    builder: x509.CertificateBuilder, *, path_length: int
) -> x509.CertificateBuilder:
    constraints = x509.BasicConstraints(ca=True, path_length=path_length)
    usage = _make_key_usage(key_cert_sign=True, crl_sign=True)
    return builder.add_extension(constraints, critical=True).add_extension(usage, critical=True)


def _sign(builder: x509.CertificateBuilder, key: _SigningKey) -> Certificate:
    signed = builder.sign(key, hashes.SHA256())
    return parse_der(signed.public_bytes(serialization.Encoding.DER))


def _make_key_usage(
    *, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )


def _make_authority_key_identifier(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    """Return the issuer's key identifier, which a CA may have chosen freely."""
    try:
        identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(_read_public_key(issuer))
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)


def _make_name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _parse_general_name(name: str) -> x509.DNSName | x509.IPAddress:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        if not _DNS_NAME.fullmatch(name):
            raise PkiError(f"expected a DNS name or an IP address, found {name!r}") from None
        return x509.DNSName(name)


def _encode_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


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


def _read_public_key(certificate: x509.Certificate) -> _PublicKey:
    try:
        key = certificate.public_key()
    except _PARSE_ERRORS as error:
        raise _make_parse_error(error) from None
    if not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        raise PkiError("expected a CA with an EC or RSA key")
    return key


def _load_key(pem: bytes) -> _SigningKey:
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except _PARSE_ERRORS as error:
        raise PkiError(f"its key cannot be read: {error}") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise PkiError("expected an EC or RSA key")
    return key
