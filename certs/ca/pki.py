"""Create CAs, serving certificates and cross-signed CAs.

Keys are P-256 and signatures ECDSA with SHA-256, which every API server accepts, FIPS builds
included. Times are arguments: nothing here reads a clock.
"""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from certs.ca.certificate import Authority, Certificate, parse_der
from certs.ca.verification import (
    PublicKey,
    SigningKey,
    load_key,
    parse_general_name,
    read_public_key,
)

SUBJECT = "convertor-webhook"


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
    new, issuer, key = successor.parsed, by.certificate.parsed, load_key(by.key)
    until = min(successor.not_after, by.certificate.not_after)
    builder = _create_builder(
        new.subject, issuer.subject, read_public_key(new), successor.not_before, until
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
    issuer, issuer_key = ca.certificate.parsed, load_key(ca.key)
    key = ec.generate_private_key(ec.SECP256R1())
    until = min(now + lifetime, ca.certificate.not_after)
    builder = _create_builder(
        _make_name(SUBJECT), issuer.subject, key.public_key(), now - backdate, until
    )
    builder = (
        builder.add_extension(
            x509.SubjectAlternativeName([parse_general_name(name) for name in names]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_make_key_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(_make_authority_key_identifier(issuer), critical=False)
    )
    return _sign(builder, issuer_key), _encode_key(key)


def _create_builder(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: PublicKey,
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


def _sign(builder: x509.CertificateBuilder, key: SigningKey) -> Certificate:
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
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(read_public_key(issuer))
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)


def _make_name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _encode_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
