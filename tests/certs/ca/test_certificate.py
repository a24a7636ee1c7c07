from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certs.ca import pki
from certs.ca.certificate import (
    Authority,
    KeyPair,
    encode_pem,
    parse_blocks,
    parse_der,
    parse_pem,
    parse_pem_as_go,
)
from tests.support.certs.der import encode_der, encode_pem_block

HOUR = timedelta(hours=1)
NOW = datetime(2030, 1, 1, 12, 30, 45, tzinfo=UTC)
CA = pki.make_ca(NOW, 2 * HOUR, backdate=HOUR)
DER = encode_der(CA.certificate)

pytestmark = pytest.mark.filterwarnings("ignore:Parsed a serial number")


@pytest.mark.parametrize("year", [1950, 1999, 2000, 2049, 2050, 2999])
def test_dates_are_in_utc(year: int) -> None:
    """DER encodes dates from 2050 on in another form."""
    now = NOW.replace(year=year)
    certificate = pki.make_ca(now, HOUR, backdate=HOUR).certificate
    assert (certificate.not_before, certificate.not_after) == (now - HOUR, now + HOUR)


def test_encoded_certificates_parse_to_the_same() -> None:
    other = pki.make_ca(NOW, HOUR, backdate=HOUR).certificate
    assert parse_pem(encode_pem([CA.certificate, other])) == (CA.certificate, other)


@pytest.mark.parametrize(
    ("pem", "blocks"),
    [
        (b"", 0),
        (b"-----BEGIN CERTIFICATE-----" * 200_000, 0),
        (b"-----BEGIN CERTIFICATE-----" * 200_000 + b"-----END CERTIFICATE-----", 1),
        (b"-----BEGIN CERTIFICATE----------END CERTIFICATE-----" * 2000, 2000),
        (b"-----END CERTIFICATE-----" * 200_000, 0),
    ],
)
def test_a_text_of_megabytes_without_certificates_is_parsed_at_once(
    pem: bytes, blocks: int
) -> None:
    assert len(parse_blocks(pem)) == blocks


@given(st.one_of(st.binary(max_size=80), st.integers(0, len(DER) - 1).map(lambda end: DER[:end])))
def test_other_bytes_are_a_value_error(der: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_der(der)


@given(st.integers(0, len(DER) - 1), st.integers(0, 255))
def test_a_damaged_certificate_is_parsed_or_a_value_error(index: int, byte: int) -> None:
    try:
        parse_der(DER[:index] + bytes([byte]) + DER[index + 1 :])
    except ValueError:
        return


def test_an_unknown_version_is_a_value_error() -> None:
    version = DER.index(b"\xa0\x03\x02\x01\x02")
    with pytest.raises(ValueError, match=r"^9 is not a valid X509 version$"):
        parse_der(DER[: version + 4] + b"\x09" + DER[version + 5 :])


def test_blocks_that_cannot_be_parsed_are_skipped() -> None:
    text = b"words\n" + CA.key + encode_pem_block(DER[:99]) + PEM + encode_pem_block(b"?")
    assert parse_pem(text) == (CA.certificate,)


def test_a_block_that_cannot_be_parsed_is_returned_as_an_error() -> None:
    text = encode_pem_block(DER[:99]) + BEGIN + b"\n????\n" + END + b"\n" + PEM
    truncated, not_base64, certificate = parse_blocks(text)
    assert str(truncated).startswith("a certificate cannot be read: error parsing asn1 value: ")
    assert not_base64 == "a certificate cannot be read: Only base64 data is allowed"
    assert certificate == CA.certificate


def test_an_ampersand_in_a_printable_string_is_an_error() -> None:
    """OpenSSL and Go accept it, RFC 5280 and cryptography do not."""
    utf8_string = DER.index(b"\x0c\x1dconvertor-webhook CA ")
    der = DER[:utf8_string] + b"\x13\x1dconvertor&" + DER[utf8_string + 12 :]
    with pytest.raises(ValueError, match="PrintableString"):
        parse_der(der)


PEM = CA.certificate.pem
BEGIN, END = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (PEM + PEM, 2),
        (PEM.replace(b"\n", b"\r\n"), 1),
        (PEM.replace(b"\n", b" \t\n"), 1),
        (b"words\n\n" + CA.key + PEM.rstrip(b"\n"), 1),
        (BEGIN + b"\nAA==\n" + PEM, 1),
        (b" " + PEM, 0),
        (PEM.replace(END, b" " + END), 0),
        (PEM.rstrip(b"\n") + PEM, 0),
        (PEM.replace(b"\n", b"\n ", 1).replace(END, END + b"\r"), 1),
        (PEM.rstrip(b"\n") + b"\r", 0),
        (PEM.replace(BEGIN, BEGIN + b"\nProc-Type: 4"), 0),
        (PEM.replace(b"\n", b"", 1), 0),
        (PEM.replace(b"\n" + END, END), 0),
    ],
)
def test_an_api_server_skips_blocks_that_do_not_start_and_end_on_their_own_lines(
    text: bytes, count: int
) -> None:
    """The expected counts are those of Go 1.26, `pem.Decode` in a loop."""
    assert parse_pem_as_go(text) == (CA.certificate,) * count


def test_keys_are_never_printed() -> None:
    for value in (
        Authority(CA.certificate, b"secret"),
        KeyPair(b"chain", b"secret", CA.certificate),
    ):
        assert "secret" not in repr(value)


@pytest.mark.parametrize("text", [BEGIN, BEGIN + b"\nAAAA\n", BEGIN + b"\n"])
def test_blocks_without_an_end_are_skipped(text: bytes) -> None:
    """A caBundle of them, from another client, must not take a minute."""
    assert parse_blocks(text * 40_000) == ()
    assert parse_pem_as_go(text * 40_000) == ()
    assert parse_pem(text * 3 + b"\n" + END + PEM) == (CA.certificate,)
