from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given
from hypothesis import strategies as st

from certs.ca import pki, verification
from certs.ca.certificate import Authority, Certificate, parse_der
from tests.support.certs.der import encode_der, flip_bit

NOW = datetime(2030, 1, 1, tzinfo=UTC)
HOUR, WEEK, YEAR = timedelta(hours=1), timedelta(days=7), timedelta(days=365)
NAME = "convertor-webhook.migration.svc"

OLD = pki.make_ca(NOW, YEAR, backdate=HOUR)
NEW = pki.make_ca(NOW, YEAR, backdate=HOUR)
CROSS = pki.cross_sign(NEW.certificate, OLD)
LEAF, KEY = pki.sign_leaf(NEW, [NAME, "10.0.0.1"], NOW, WEEK, backdate=HOUR)


def roots(*authorities: Authority) -> list[Certificate]:
    return [authority.certificate for authority in authorities]


@pytest.mark.parametrize("trust", [[OLD], [NEW], [OLD, NEW]], ids=["old", "new", "both"])
@pytest.mark.parametrize("name", [NAME, "10.0.0.1"])
def test_a_leaf_with_the_cross_signed_ca_verifies_with_either_ca_or_both(
    trust: list[Authority], name: str
) -> None:
    assert verification.verify([LEAF, CROSS], roots(*trust), name, NOW) is None


@pytest.mark.parametrize(
    ("chain", "trust", "name", "now"),
    [
        ([LEAF], [OLD], NAME, NOW),
        ([LEAF, CROSS], [], NAME, NOW),
        ([LEAF, CROSS], [NEW], "convertor-webhook.other.svc", NOW),
        ([LEAF, CROSS], [NEW], NAME, NOW + WEEK + HOUR),
        ([LEAF, CROSS], [NEW], NAME, NOW - 2 * HOUR),
    ],
    ids=["without the cross-signed CA", "no root", "another name", "expired", "not yet valid"],
)
def test_a_leaf_is_rejected(
    chain: list[Certificate], trust: list[Authority], name: str, now: datetime
) -> None:
    assert verification.verify(chain, roots(*trust), name, now) is not None


def test_a_leaf_is_for_servers_and_cannot_sign() -> None:
    leaf = LEAF.parsed
    extensions = leaf.extensions
    assert not extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    usage = extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.digital_signature
    assert not usage.key_cert_sign
    extended = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(extended) == [ExtendedKeyUsageOID.SERVER_AUTH]
    key = serialization.load_pem_private_key(KEY, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert key.curve.name == "secp256r1"
    assert key.public_key() == leaf.public_key()


def test_every_ca_has_a_unique_subject() -> None:
    assert (
        verification.describe(OLD.certificate).subject
        != verification.describe(NEW.certificate).subject
    )


def test_no_certificate_outlives_its_ca() -> None:
    short = pki.make_ca(NOW, HOUR, backdate=HOUR)
    leaf, _ = pki.sign_leaf(short, [NAME], NOW, WEEK, backdate=HOUR)
    cross = pki.cross_sign(NEW.certificate, short)
    assert leaf.not_after == cross.not_after == short.certificate.not_after


def test_a_cross_certificate_has_the_key_of_one_ca_and_the_signature_of_another() -> None:
    assert verification.is_cross_signed(CROSS, NEW.certificate, OLD.certificate)
    assert not verification.is_cross_signed(CROSS, OLD.certificate, NEW.certificate)
    assert not verification.is_cross_signed(CROSS, NEW.certificate, NEW.certificate)


def byte_indices(certificate: Certificate) -> st.SearchStrategy[int]:
    """Generate the index of any byte but the one that counts the unused bits of the signature."""
    der = encode_der(certificate)
    ignored = der.rindex(certificate.parsed.signature) - 1
    return st.integers(0, len(der) - 1).filter(lambda index: index != ignored)


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
@given(byte_indices(OLD.certificate), st.integers(0, 7))
def test_a_ca_with_a_flipped_bit_is_rejected(index: int, bit: int) -> None:
    try:
        ca = parse_der(flip_bit(OLD.certificate, index, bit))
    except ValueError:
        return
    assert verification.check_ca(ca) is not None
    assert verification.check_authority(Authority(ca, OLD.key)) is not None


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
@given(byte_indices(CROSS), st.integers(0, 7))
def test_a_cross_certificate_with_a_flipped_bit_is_rejected(index: int, bit: int) -> None:
    try:
        cross = parse_der(flip_bit(CROSS, index, bit))
    except ValueError:
        return
    assert not verification.is_cross_signed(cross, NEW.certificate, OLD.certificate)


def test_a_ca_that_another_ca_signed_can_be_trusted() -> None:
    """An administrator may put an intermediate CA of a corporate PKI into the Secret."""
    assert verification.check_ca(CROSS) is None
    assert verification.check_ca(LEAF) == "its certificate is not a CA"


def encode_key(
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey,
) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def build_authority(
    *extensions: x509.ExtensionType, public_key: ed25519.Ed25519PublicKey | None = None
) -> Authority:
    """Return a self-signed CA of another program, with these extensions only."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "other")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public_key or key.public_key())
        .serial_number(1)
        .not_valid_before(NOW - HOUR)
        .not_valid_after(NOW + YEAR)
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=True)
    certificate = builder.sign(key, hashes.SHA256())
    der = certificate.public_bytes(serialization.Encoding.DER)
    return Authority(parse_der(der), encode_key(key))


CONSTRAINTS = x509.BasicConstraints(ca=True, path_length=1)


def test_a_certificate_without_basic_constraints_is_not_a_ca() -> None:
    error = verification.check_ca(build_authority().certificate)

    assert error == "its certificate is not a CA: it has no basic constraints"


def test_a_ca_without_a_key_identifier_can_sign() -> None:
    authority = build_authority(CONSTRAINTS)
    leaf, _ = pki.sign_leaf(authority, [NAME], NOW, HOUR, backdate=HOUR)

    identifier = leaf.parsed.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    key = authority.certificate.parsed.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert identifier == x509.AuthorityKeyIdentifier.from_issuer_public_key(key)


def test_a_ca_whose_certificate_has_an_ed25519_key_cannot_sign() -> None:
    public_key = ed25519.Ed25519PrivateKey.generate().public_key()
    authority = build_authority(CONSTRAINTS, public_key=public_key)

    assert verification.check_authority(authority) == "expected a CA with an EC or RSA key"


@pytest.mark.parametrize(
    ("authority", "error"),
    [
        (OLD, None),
        (
            Authority(OLD.certificate, NEW.key),
            "its key does not belong to its certificate",
        ),
        (Authority(LEAF, KEY), "its certificate is not a CA"),
        (
            Authority(OLD.certificate, encode_key(ed25519.Ed25519PrivateKey.generate())),
            "expected an EC or RSA key",
        ),
    ],
)
def test_an_authority_must_be_able_to_sign(authority: Authority, error: str | None) -> None:
    assert verification.check_authority(authority) == error


def test_a_key_that_cannot_be_parsed_is_an_error() -> None:
    error = verification.check_authority(Authority(OLD.certificate, b"no key"))
    assert error is not None
    assert error.startswith("its key cannot be read: ")


def test_a_name_is_a_dns_name_or_an_ip_address() -> None:
    with pytest.raises(verification.PkiError) as caught:
        pki.sign_leaf(OLD, ["not a name"], NOW, WEEK, backdate=HOUR)
    assert str(caught.value) == "expected a DNS name or an IP address, found 'not a name'"


def test_a_description_has_subject_issuer_and_names() -> None:
    assert verification.describe(LEAF) == (
        "CN=convertor-webhook",
        verification.describe(NEW.certificate).subject,
        (NAME, "10.0.0.1"),
    )


def test_a_certificate_whose_subject_is_not_utf_8_cannot_be_described() -> None:
    der = encode_der(OLD.certificate).replace(b"convertor-webhook CA", b"convertor\xffwebhook CA")

    with pytest.raises(verification.PkiError, match="cannot be read"):
        verification.describe(parse_der(der))
