"""Certificates as DER and PEM bytes, and damaged ones."""

import base64

from cryptography.hazmat.primitives.serialization import Encoding

from certs.ca.certificate import Certificate


def encode_der(certificate: Certificate) -> bytes:
    return certificate.parsed.public_bytes(Encoding.DER)


def flip_bit(certificate: Certificate, index: int, bit: int = 0) -> bytes:
    """Return the DER of a certificate with one bit changed, which may not parse any more."""
    der = bytearray(encode_der(certificate))
    der[index] ^= 1 << bit
    return bytes(der)


def encode_pem_block(der: bytes) -> bytes:
    """Return a PEM block of type CERTIFICATE, whatever its content is."""
    return (
        b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(der) + b"-----END CERTIFICATE-----\n"
    )
