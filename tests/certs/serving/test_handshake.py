import pytest
from cryptography.hazmat.primitives import serialization

from certs.ca import pki
from certs.ca.certificate import Authority, encode_pem
from certs.serving.handshake import KeyPairError, parse_key_pair, verify
from tests.support.certs.der import encode_pem_block
from tests.support.certs.mounted_secret import DAY, NAME, NOW, make_ca, make_files

CA = make_ca()
FILES = make_files(CA)
OTHER = make_files(make_ca())
CERT, KEY = FILES["tls.crt"], FILES["tls.key"]


def encrypt(key: bytes) -> bytes:
    return serialization.load_pem_private_key(key, None).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )


def test_a_key_pair_is_parsed() -> None:
    pair = parse_key_pair(CERT, KEY, NAME)
    assert (pair.chain, pair.key, pair.not_after) == (CERT, KEY, NOW + 7 * DAY)


@pytest.mark.parametrize(
    ("cert", "key", "name", "message"),
    [
        (b"", KEY, "", "the certificate is not PEM, expected '-----BEGIN CERTIFICATE-----'"),
        (CERT, b"", "", "the private key is not PEM, expected '-----BEGIN PRIVATE KEY-----'"),
        (CERT, OTHER["tls.key"], "", "the private key does not belong to the certificate"),
        (
            CERT,
            encrypt(KEY),
            "",
            "the private key is encrypted, expected one without a password",
        ),
        (
            CERT,
            KEY,
            "other.svc",
            (
                "a handshake with the certificate fails: Hostname mismatch, certificate is not"
                " valid for 'other.svc'"
            ),
        ),
    ],
    ids=["no certificate", "no key", "another key", "encrypted key", "another name"],
)
def test_a_key_pair_that_tls_cannot_serve_is_an_error(
    cert: bytes, key: bytes, name: str, message: str
) -> None:
    with pytest.raises(KeyPairError) as caught:
        parse_key_pair(cert, key, name)
    assert str(caught.value) == message


def test_a_ca_cannot_be_served() -> None:
    with pytest.raises(KeyPairError, match="handshake"):
        parse_key_pair(CA.certificate.pem, CA.key, NAME)


def test_a_leaf_that_cannot_be_parsed_is_an_error_with_the_reason() -> None:
    with pytest.raises(KeyPairError, match=r"^a certificate cannot be read: error parsing asn1"):
        parse_key_pair(encode_pem_block(b"?") + CERT, KEY)


def test_an_expired_certificate_is_parsed() -> None:
    """The caller compares dates, by its own clock."""
    old = make_files(CA, now=NOW - 9 * DAY, lifetime=DAY)
    assert parse_key_pair(old["tls.crt"], old["tls.key"]).not_after == NOW - 8 * DAY


def test_openssl_verifies_certificates_signed_here() -> None:
    """With the old CA alone, the new one alone, and both."""
    new = make_ca()
    cross = pki.cross_sign(new.certificate, CA)
    files = make_files(new)
    pair = parse_key_pair(files["tls.crt"] + cross.pem, files["tls.key"])
    for roots in ([CA], [new], [CA, new]):
        assert verify(pair, encode_pem(root.certificate for root in roots), NAME) is None


@pytest.mark.parametrize(
    ("roots", "message"),
    [
        ([], "there is no certificate to trust"),
        ([make_ca()], "unable to get local issuer certificate"),
    ],
)
def test_a_certificate_of_another_ca_is_refused(roots: list[Authority], message: str) -> None:
    pem = encode_pem(root.certificate for root in roots)
    assert verify(parse_key_pair(CERT, KEY), pem, NAME) == message
