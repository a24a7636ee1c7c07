"""What TLS itself says of a certificate and key, found out by shaking hands with oneself.

This asks the platform's OpenSSL, through `ssl`, and so needs no `cryptography`: certificates
that others made are served without it.
"""

import contextlib
import os
import ssl
from collections.abc import Iterator

from certs.ca.certificate import Pair, parse

_NO_CHECK_TIME = 0x200000
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which `ssl` does not name."""


class PairError(ValueError):
    """A certificate and key that cannot be served; the text says why."""


def to_pair(chain: bytes, key: bytes, name: str = "") -> Pair:
    """Make sure that TLS can serve the two together, as `name` where one is given.

    Dates and issuers are another question. Raises PairError.
    """
    found = parse(chain)
    if not found:
        raise PairError("the certificate is no PEM, expected '-----BEGIN CERTIFICATE-----'")
    pair = Pair(chain, key, found[0].not_after)
    fault = _shake(pair, found[0].pem, name, _NO_CHECK_TIME)
    if fault:
        raise PairError(f"a handshake with the certificate fails: {fault}")
    return pair


def verify(pair: Pair, roots: bytes, name: str) -> str | None:
    """Say why a client that trusts `roots` (PEM) now refuses the pair as `name`; None if not."""
    if not parse(roots):
        return "there is no certificate to trust"
    return _shake(pair, roots, name, 0)


def load(context: ssl.SSLContext, chain: bytes, key: bytes) -> None:
    """Load a pair (PEM) into a fresh context. Raises PairError, and the context is lost then."""

    def no_password() -> str:
        raise PairError("the private key is encrypted, expected one without a password")

    try:
        with _in_memory(chain) as chain_path, _in_memory(key) as key_path:
            context.load_cert_chain(chain_path, key_path, password=no_password)
    except ssl.SSLError as error:
        raise PairError(_pair_fault(error, chain, key)) from None


def _pair_fault(error: ssl.SSLError, chain: bytes, key: bytes) -> str:
    if error.reason in {"KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH"}:
        return "the private key does not belong to the certificate"
    if b"-----BEGIN CERTIFICATE-----" not in chain:
        return "the certificate is no PEM, expected '-----BEGIN CERTIFICATE-----'"
    if b"PRIVATE KEY-----" not in key:
        return "the private key is no PEM, expected '-----BEGIN PRIVATE KEY-----'"
    return f"the certificate or its private key cannot be read: {_words(error)}"


def _shake(pair: Pair, roots: bytes, name: str, flags: int) -> str | None:
    """Connect a client to a server, both in memory; return what the client cannot accept.

    Like Go's, the client takes any certificate of `roots` for the end of a chain.
    """
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    load(server_context, pair.chain, pair.key)
    client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client_context.check_hostname = bool(name)
    client_context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN | flags
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        client_context.load_verify_locations(cadata=roots.decode("ascii", "ignore"))
        server = server_context.wrap_bio(to_server, to_client, server_side=True)
        client = client_context.wrap_bio(to_client, to_server, server_hostname=name or None)
        for side in (client, server, client):
            # With TLS 1.3 the server has said all by then; the rest is not asked for.
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
    except ssl.SSLError as error:
        return _words(error)
    return None


def _words(error: ssl.SSLError) -> str:
    """OpenSSL's reason as words: `unsuitable certificate purpose`."""
    said = getattr(error, "verify_message", "")
    return said.rstrip(".") if said else (error.reason or str(error)).replace("_", " ").lower()


@contextlib.contextmanager
def _in_memory(content: bytes) -> Iterator[str]:
    """Give a path under which OpenSSL can read this, on no file system."""
    descriptor = os.memfd_create("pem", os.MFD_CLOEXEC)
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(content)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
