"""Making certificates: a CA, a leaf, the same CA signed by the one before; checking them.

Everything is P-256 with SHA-256, which every API server takes, FIPS builds too. Times are
arguments: nothing here looks at a clock. This is the only module that needs `cryptography`.
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

from certs.ca.certificate import Authority, Certificate, from_der

SUBJECT = "convertor-webhook"

_DNS_NAME = re.compile(r"(?:\*\.)?[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?", re.IGNORECASE)

_UNREADABLE = (
    ValueError,
    TypeError,
    InvalidSignature,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
"""What `cryptography` raises for bytes that are damaged: most of a certificate it reads only
when asked for it."""

_PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey
_SigningKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


class PkiError(ValueError):
    """A certificate or key that cannot be used; the text says why."""


def make_ca(now: datetime, life: timedelta, *, backdate: timedelta) -> Authority:
    """Make a CA that is valid from `backdate` before `now` until `life` after it."""
    key = ec.generate_private_key(ec.SECP256R1())
    # A name of its own, because the name is what a client looks an issuer up by.
    name = _name(f"{SUBJECT} CA {secrets.token_hex(4)}")
    builder = _builder(name, name, key.public_key(), now - backdate, now + life)
    # One step below it is needed: a successor that it has cross-signed.
    return Authority(_sign(_as_ca(builder, path_length=1), key), _key_pem(key))


def cross_sign(successor: Certificate, by: Authority) -> Certificate:
    """Let an old CA vouch for a new one: the new one's name and key, signed by the old.

    Sent along with a leaf of the new CA it makes that leaf good for clients that trust only
    the old one.
    """
    new = _load(successor)
    issuer, key = _load(by.certificate), _load_key(by.key)
    until = min(successor.not_after, by.certificate.not_after)
    builder = _builder(new.subject, issuer.subject, _public(new), successor.not_before, until)
    builder = _as_ca(builder, path_length=0).add_extension(_authority_key(issuer), critical=False)
    return _sign(builder, key)


def sign_leaf(
    ca: Authority, names: Sequence[str], now: datetime, life: timedelta, *, backdate: timedelta
) -> tuple[Certificate, bytes]:
    """Make a serving certificate and its key (PEM), valid no longer than its CA.

    `names` are DNS names or IP addresses; PkiError where one is neither.
    """
    issuer, issuer_key = _load(ca.certificate), _load_key(ca.key)
    key = ec.generate_private_key(ec.SECP256R1())
    until = min(now + life, ca.certificate.not_after)
    builder = _builder(_name(SUBJECT), issuer.subject, key.public_key(), now - backdate, until)
    builder = (
        builder.add_extension(
            x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(_authority_key(issuer), critical=False)
    )
    return _sign(builder, issuer_key), _key_pem(key)


class Description(NamedTuple):
    """What people ask of a certificate beyond its dates."""

    subject: str
    issuer: str
    names: tuple[str, ...]
    """DNS names and addresses that it is valid for."""


def describe(certificate: Certificate) -> Description:
    """Raise PkiError where the certificate cannot be read."""
    found = _load(certificate)
    try:
        return Description(
            found.subject.rfc4514_string(), found.issuer.rfc4514_string(), _names(found)
        )
    except _UNREADABLE as error:
        raise _unreadable(error) from None


@functools.lru_cache(maxsize=64)  # every round asks of the same few again
def check_ca(certificate: Certificate) -> str | None:
    """Say what keeps this certificate from being a CA that clients may trust; None when fine.

    That a CA vouches for itself means nothing to those who trust it, but it shows that no byte
    of it has changed. One that another CA vouches for names that one's key (RFC 5280, 4.2.1.1).
    """
    try:
        found = _load(certificate)
        extensions = found.extensions
        constraints = extensions.get_extension_for_class(x509.BasicConstraints).value
        if found.issuer == found.subject or not _has(extensions, x509.AuthorityKeyIdentifier):
            found.verify_directly_issued_by(found)
    except PkiError as error:
        return str(error)
    except x509.ExtensionNotFound:
        return "its certificate is no CA: it has no basic constraints"
    except InvalidSignature:
        return "its certificate is damaged: its signature is of something else"
    except _UNREADABLE as error:
        return str(_unreadable(error))
    return None if constraints.ca else "its certificate is no CA"


def check_authority(ca: Authority) -> str | None:
    """Say what keeps this certificate and key from being a CA that can sign; None when fine."""
    try:
        certificate, key = _load(ca.certificate), _load_key(ca.key)
        belongs = key.public_key() == _public(certificate)
    except PkiError as error:
        return str(error)
    if not belongs:
        return "its key does not belong to its certificate"
    return check_ca(ca.certificate)


def is_cross_signed(cross: Certificate, of: Certificate, by: Certificate) -> bool:
    """Whether `cross` is CA `of`, signed by CA `by`."""
    try:
        found, new, old = _load(cross), _load(of), _load(by)
        same = found.subject == new.subject and _public(found) == _public(new)
        found.verify_directly_issued_by(old)
    except _UNREADABLE:
        return False
    return same


def verify(
    chain: Sequence[Certificate], roots: Sequence[Certificate], name: str, now: datetime
) -> str | None:
    """Say why a client that trusts `roots` refuses this chain, leaf first; None when it does not.

    `name` is what the client calls the server: a DNS name or an IP address.
    """
    # What others put into a bundle may be such that only a client's own parser takes it.
    trusted = [_load(root) for root in roots if _is_readable(root)]
    if not trusted:
        return "there is no certificate to trust"
    try:
        store = Store(trusted)
        subject = _general_name(name)
        verifier = PolicyBuilder().store(store).time(now).build_server_verifier(subject)
        verifier.verify(_load(chain[0]), [_load(link) for link in chain[1:]])
    except VerificationError as error:
        return str(error)
    return None


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public: _PublicKey,
    not_before: datetime,
    not_after: datetime,
) -> x509.CertificateBuilder:
    identifier = x509.SubjectKeyIdentifier.from_public_key(public)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_after)
        .add_extension(identifier, critical=False)
    )


def _as_ca(builder: x509.CertificateBuilder, *, path_length: int) -> x509.CertificateBuilder:
    constraints = x509.BasicConstraints(ca=True, path_length=path_length)
    usage = _key_usage(key_cert_sign=True, crl_sign=True)
    return builder.add_extension(constraints, critical=True).add_extension(usage, critical=True)


def _sign(builder: x509.CertificateBuilder, key: _SigningKey) -> Certificate:
    signed = builder.sign(key, hashes.SHA256())
    return from_der(signed.public_bytes(serialization.Encoding.DER))


def _key_usage(
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


def _authority_key(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    """Name the issuer's key by its own identifier, which a CA of others may have chosen freely."""
    try:
        identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(_public(issuer))
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _general_name(name: str) -> x509.DNSName | x509.IPAddress:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        if not _DNS_NAME.fullmatch(name):
            raise PkiError(f"expected a DNS name or an IP address, found {name!r}") from None
        return x509.DNSName(name)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _load(certificate: Certificate) -> x509.Certificate:
    try:
        return x509.load_der_x509_certificate(certificate.der)
    except _UNREADABLE as error:
        raise _unreadable(error) from None


def _unreadable(error: Exception) -> PkiError:
    return PkiError(f"its certificate cannot be read: {error}")


def _has(extensions: x509.Extensions, kind: type[x509.ExtensionType]) -> bool:
    return any(isinstance(extension.value, kind) for extension in extensions)


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    """Return the DNS names and addresses that it is valid for."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return (
        *names.get_values_for_type(x509.DNSName),
        *(str(address) for address in names.get_values_for_type(x509.IPAddress)),
    )


def _is_readable(certificate: Certificate) -> bool:
    try:
        _load(certificate)
    except PkiError:
        return False
    return True


def _public(certificate: x509.Certificate) -> _PublicKey:
    try:
        public = certificate.public_key()
    except _UNREADABLE as error:
        raise _unreadable(error) from None
    if not isinstance(public, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        raise PkiError("expected a CA with an EC or RSA key")
    return public


def _load_key(pem: bytes) -> _SigningKey:
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except _UNREADABLE as error:
        raise PkiError(f"its key cannot be read: {error}") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise PkiError("expected an EC or RSA key")
    return key
