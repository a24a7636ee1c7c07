"""Certificates for localhost, each created once."""

import functools
from pathlib import Path
from typing import NamedTuple

from certs.serving.local_ca import LOCAL_NAMES, create_key_pair


class KeyPair(NamedTuple):
    """PEM."""

    chain: bytes
    key: bytes
    ca: bytes


class KeyPairFiles(NamedTuple):
    cert: Path
    key: Path
    ca: Path


@functools.cache
def create_certificate(number: int = 0) -> KeyPair:
    """Create a certificate and its CA; each number has its own."""
    pair, ca = create_key_pair(LOCAL_NAMES)
    return KeyPair(pair.chain, pair.key, ca.pem)


def write_certificate(directory: Path, number: int = 0) -> KeyPairFiles:
    """Write a certificate under the file names of a mounted Secret."""
    chain, key, ca = create_certificate(number)
    files = KeyPairFiles(*(directory / name for name in ("tls.crt", "tls.key", "ca.crt")))
    for path, content in zip(files, (chain, key, ca), strict=True):
        path.write_bytes(content)
    return files
