from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from certs.ca import pki
from certs.ca.certificate import Authority, Certificate, from_der

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
def test_a_leaf_with_the_cross_signed_ca_verifies_whichever_ca_is_known(
    trust: list[Authority], name: str
) -> None:
    assert pki.verify([LEAF, CROSS], roots(*trust), name, NOW) is None


@pytest.mark.parametrize(
    ("chain", "trust", "name", "now"),
    [
        ([LEAF], [OLD], NAME, NOW),
        ([LEAF, CROSS], [], NAME, NOW),
        ([LEAF, CROSS], [NEW], "convertor-webhook.other.svc", NOW),
        ([LEAF, CROSS], [NEW], NAME, NOW + WEEK + HOUR),
        ([LEAF, CROSS], [NEW], NAME, NOW - 2 * HOUR),
    ],
    ids=["without the cross", "no root", "another name", "too late", "too early"],
)
def test_a_leaf_is_refused(
    chain: list[Certificate], trust: list[Authority], name: str, now: datetime
) -> None:
    assert pki.verify(chain, roots(*trust), name, now) is not None


def test_what_others_put_into_a_bundle_is_no_obstacle() -> None:
    """Its dates can be read, and nothing else of it."""
    times = b"\x17\x0d300101000000Z" * 2
    validity = bytes([0x30, len(times)]) + times
    body = b"\x02\x01\x01\x30\x00\x30\x00" + validity
    tbs = bytes([0x30, len(body)]) + body
    odd = from_der(bytes([0x30, len(tbs)]) + tbs)
    assert pki.verify([LEAF], [odd, NEW.certificate], NAME, NOW) is None
    assert pki.verify([LEAF], [odd], NAME, NOW) == "there is no certificate to trust"


def test_a_leaf_is_for_servers_and_signs_nothing() -> None:
    leaf = x509.load_der_x509_certificate(LEAF.der)
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


def test_a_ca_has_a_name_of_its_own() -> None:
    assert pki.describe(OLD.certificate).subject != pki.describe(NEW.certificate).subject


def test_nothing_outlives_its_ca() -> None:
    short = pki.make_ca(NOW, HOUR, backdate=HOUR)
    leaf, _ = pki.sign_leaf(short, [NAME], NOW, WEEK, backdate=HOUR)
    cross = pki.cross_sign(NEW.certificate, short)
    assert leaf.not_after == cross.not_after == short.certificate.not_after


def test_a_cross_certificate_is_known_by_what_it_is() -> None:
    assert pki.is_cross_signed(CROSS, NEW.certificate, OLD.certificate)
    assert not pki.is_cross_signed(CROSS, OLD.certificate, NEW.certificate)
    assert not pki.is_cross_signed(CROSS, NEW.certificate, NEW.certificate)


def bytes_of(certificate: Certificate) -> st.SearchStrategy[int]:
    """Give indices of all bytes but the one that counts the bits which the signature lacks."""
    signature = x509.load_der_x509_certificate(certificate.der).signature
    indifferent = certificate.der.rindex(signature) - 1
    return st.integers(0, len(certificate.der) - 1).filter(lambda at: at != indifferent)


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
@given(bytes_of(OLD.certificate), st.integers(0, 7))
def test_a_ca_with_a_flipped_bit_is_no_ca(at: int, bit: int) -> None:
    damaged = bytearray(OLD.certificate.der)
    damaged[at] ^= 1 << bit
    try:
        ca = from_der(bytes(damaged))
    except ValueError:
        return
    assert pki.check_ca(ca) is not None
    assert pki.check_authority(Authority(ca, OLD.key)) is not None


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
@given(bytes_of(CROSS), st.integers(0, 7))
def test_a_cross_certificate_with_a_flipped_bit_is_none(at: int, bit: int) -> None:
    damaged = bytearray(CROSS.der)
    damaged[at] ^= 1 << bit
    try:
        cross = from_der(bytes(damaged))
    except ValueError:
        return
    assert not pki.is_cross_signed(cross, NEW.certificate, OLD.certificate)


def test_a_ca_that_another_one_vouches_for_may_be_trusted() -> None:
    """As when somebody puts one of a corporate PKI into the Secret."""
    assert pki.check_ca(CROSS) is None
    assert pki.check_ca(LEAF) == "its certificate is no CA"


def _pem(key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


@pytest.mark.parametrize(
    ("authority", "fault"),
    [
        (OLD, None),
        (
            Authority(OLD.certificate, NEW.key),
            "its key does not belong to its certificate",
        ),
        (Authority(LEAF, KEY), "its certificate is no CA"),
        (
            Authority(OLD.certificate, _pem(ed25519.Ed25519PrivateKey.generate())),
            "expected an EC or RSA key",
        ),
    ],
)
def test_an_authority_can_sign_or_it_is_said_why_not(
    authority: Authority, fault: str | None
) -> None:
    assert pki.check_authority(authority) == fault


def test_a_key_that_is_none_is_said_to_be_unreadable() -> None:
    fault = pki.check_authority(Authority(OLD.certificate, b"no key"))
    assert fault is not None
    assert fault.startswith("its key cannot be read: ")


def test_a_name_is_a_dns_name_or_an_address() -> None:
    with pytest.raises(pki.PkiError) as caught:
        pki.sign_leaf(OLD, ["not a name"], NOW, WEEK, backdate=HOUR)
    assert str(caught.value) == "expected a DNS name or an IP address, found 'not a name'"


def test_a_description_names_who_and_for_what() -> None:
    assert pki.describe(LEAF) == (
        "CN=convertor-webhook",
        pki.describe(NEW.certificate).subject,
        (NAME, "10.0.0.1"),
    )
