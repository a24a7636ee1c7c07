import base64
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from certs.ca import pki
from certs.ca.certificate import Authority, Pair, from_der, parse, parse_as_go, to_pem

HOUR = timedelta(hours=1)
NOW = datetime(2030, 1, 1, 12, 30, 45, tzinfo=UTC)
CA = pki.make_ca(NOW, 2 * HOUR, backdate=HOUR)
DER = CA.certificate.der


@pytest.mark.parametrize("year", [1950, 1999, 2000, 2049, 2050, 2999])
def test_dates_are_those_that_cryptography_reads(year: int) -> None:
    """From 2050 on, dates have another form."""
    made = pki.make_ca(NOW.replace(year=year), HOUR, backdate=HOUR).certificate
    read = x509.load_der_x509_certificate(made.der)
    assert (made.not_before, made.not_after) == (
        read.not_valid_before_utc,
        read.not_valid_after_utc,
    )


def test_pem_is_what_cryptography_reads() -> None:
    read = x509.load_pem_x509_certificate(CA.certificate.pem)
    assert read.public_bytes(Encoding.DER) == DER


def test_parsing_what_was_printed_gives_the_same() -> None:
    other = pki.make_ca(NOW, HOUR, backdate=HOUR).certificate
    assert parse(to_pem([CA.certificate, other])) == (CA.certificate, other)


@given(st.one_of(st.binary(max_size=80), st.integers(0, len(DER) - 1).map(lambda end: DER[:end])))
def test_bytes_that_are_no_certificate_are_a_value_error(der: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        from_der(der)


@given(st.integers(0, len(DER) - 1), st.integers(0, 255))
def test_a_damaged_certificate_is_read_or_a_value_error(at: int, byte: int) -> None:
    try:
        from_der(DER[:at] + bytes([byte]) + DER[at + 1 :])
    except ValueError:
        return


def test_what_is_no_certificate_is_passed_over() -> None:
    pem = CA.certificate.pem
    broken = b"-----BEGIN CERTIFICATE-----\n%s\n-----END CERTIFICATE-----\n"
    text = b"words\n" + broken % b"????" + CA.key + pem + broken % base64.b64encode(DER[:99])
    assert parse(text) == (CA.certificate,)


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
def test_an_api_server_reads_certificates_whose_lines_begin_and_end_with_them(
    text: bytes, count: int
) -> None:
    """What Go 1.26 said of these is what is expected: `pem.Decode`, again and again."""
    assert parse_as_go(text) == (CA.certificate,) * count


def test_keys_are_never_printed() -> None:
    for value in (Authority(CA.certificate, b"secret"), Pair(b"chain", b"secret", NOW)):
        assert "secret" not in repr(value)
