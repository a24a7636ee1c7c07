"""Certificates for tests, made once for a name."""

import functools
from pathlib import Path
from typing import NamedTuple

from certs.serving.local_ca import LOCAL_NAMES, create_key_pair


class Made(NamedTuple):
    """PEM."""

    chain: bytes
    key: bytes
    ca: bytes


class Written(NamedTuple):
    cert: Path
    key: Path
    ca: Path


@functools.cache
def made(number: int = 0) -> Made:
    """Make a certificate for localhost; another one for each number."""
    pair, ca = create_key_pair(LOCAL_NAMES)
    return Made(pair.chain, pair.key, ca.pem)


def write(directory: Path, number: int = 0) -> Written:
    """Write one as Kubernetes names the files of a mounted Secret."""
    chain, key, ca = made(number)
    written = Written(*(directory / name for name in ("tls.crt", "tls.key", "ca.crt")))
    for path, content in zip(written, (chain, key, ca), strict=True):
        path.write_bytes(content)
    return written
