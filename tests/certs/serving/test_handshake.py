import pytest
from cryptography.hazmat.primitives import serialization

from certs.ca import pki
from certs.ca.certificate import Authority, encode_pem
from certs.serving.handshake import KeyPairError, parse_key_pair, verify
from tests.certs.files import DAY, NAME, NOW, make_ca, make_files

CA = make_ca()
FILES = make_files(CA)
OTHER = make_files(make_ca())
CERT, KEY = FILES["tls.crt"], FILES["tls.key"]


def encrypted(key: bytes) -> bytes:
    return serialization.load_pem_private_key(key, None).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )


def test_a_pair_is_what_tls_can_use() -> None:
    pair = parse_key_pair(CERT, KEY, NAME)
    assert (pair.chain, pair.key, pair.not_after) == (CERT, KEY, NOW + 7 * DAY)


@pytest.mark.parametrize(
    ("cert", "key", "name", "fault"),
    [
        (b"", KEY, "", "the certificate is not PEM, expected '-----BEGIN CERTIFICATE-----'"),
        (CERT, b"", "", "the private key is not PEM, expected '-----BEGIN PRIVATE KEY-----'"),
        (CERT, OTHER["tls.key"], "", "the private key does not belong to the certificate"),
        (
            CERT,
            encrypted(KEY),
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
def test_a_pair_that_tls_cannot_use_is_refused(
    cert: bytes, key: bytes, name: str, fault: str
) -> None:
    with pytest.raises(KeyPairError) as caught:
        parse_key_pair(cert, key, name)
    assert str(caught.value) == fault


def test_a_ca_is_no_certificate_for_a_server() -> None:
    with pytest.raises(KeyPairError, match="handshake"):
        parse_key_pair(CA.certificate.pem, CA.key, NAME)


def test_an_expired_pair_is_still_a_pair() -> None:
    """Whose clock is right is not for TLS to say."""
    old = make_files(CA, now=NOW - 9 * DAY, life=DAY)
    assert parse_key_pair(old["tls.crt"], old["tls.key"]).not_after == NOW - 8 * DAY


def test_openssl_verifies_what_this_project_signs() -> None:
    """With the old CA alone, the new one alone, and both."""
    new = make_ca()
    cross = pki.cross_sign(new.certificate, CA)
    files = make_files(new)
    pair = parse_key_pair(files["tls.crt"] + cross.pem, files["tls.key"])
    for roots in ([CA], [new], [CA, new]):
        assert verify(pair, encode_pem(root.certificate for root in roots), NAME) is None


@pytest.mark.parametrize(
    ("roots", "fault"),
    [
        ([], "there is no certificate to trust"),
        ([make_ca()], "unable to get local issuer certificate"),
    ],
)
def test_a_pair_of_another_ca_is_refused(roots: list[Authority], fault: str) -> None:
    pem = encode_pem(root.certificate for root in roots)
    assert verify(parse_key_pair(CERT, KEY), pem, NAME) == fault
