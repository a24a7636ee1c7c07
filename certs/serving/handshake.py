"""Check a certificate and its key by a TLS handshake in memory, before they are served.

The handshake uses the platform's OpenSSL through `ssl`, as the server does, so a key pair that
passes can be served.
"""

import contextlib
import os
import ssl
from collections.abc import Iterator

from certs.ca.certificate import KeyPair, parse_blocks, parse_pem

_NOT_PEM = "the certificate is not PEM, expected '-----BEGIN CERTIFICATE-----'"

_NO_CHECK_TIME = 0x200000
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which `ssl` does not export."""


class KeyPairError(ValueError):
    """A certificate and key that cannot be served; the text says why."""


def parse_key_pair(chain: bytes, key: bytes, name: str = "") -> KeyPair:
    """Parse a certificate and its key (PEM), and check that TLS can serve them as `name`, if given.

    Neither dates nor issuers are checked. Raises KeyPairError.
    """
    blocks = parse_blocks(chain)
    if not blocks:
        raise KeyPairError(_NOT_PEM)
    leaf = blocks[0]
    if isinstance(leaf, str):
        raise KeyPairError(leaf)
    pair = KeyPair(chain, key, leaf)
    error = _handshake(pair, leaf.pem, name, _NO_CHECK_TIME)
    if error:
        raise KeyPairError(f"a handshake with the certificate fails: {error}")
    return pair


def verify(pair: KeyPair, roots: bytes, name: str) -> str | None:
    """Return why a client that trusts `roots` (PEM) rejects the pair as `name`; None if not."""
    if not parse_pem(roots):
        return "there is no certificate to trust"
    return _handshake(pair, roots, name, 0)


def load_key_pair(context: ssl.SSLContext, chain: bytes, key: bytes) -> None:
    """Load a certificate and its key (PEM) into a context.

    Raises KeyPairError; the context must not be used then.
    """

    def refuse_password() -> str:
        raise KeyPairError("the private key is encrypted, expected one without a password")

    try:
        with _memory_file(chain) as chain_path, _memory_file(key) as key_path:
            context.load_cert_chain(chain_path, key_path, password=refuse_password)
    except ssl.SSLError as error:
        raise KeyPairError(_explain_load_error(error, chain, key)) from None


def _explain_load_error(error: ssl.SSLError, chain: bytes, key: bytes) -> str:
    if error.reason in {"KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH"}:
        return "the private key does not belong to the certificate"
    if b"-----BEGIN CERTIFICATE-----" not in chain:
        return _NOT_PEM
    if b"PRIVATE KEY-----" not in key:
        return "the private key is not PEM, expected '-----BEGIN PRIVATE KEY-----'"
    return f"the certificate or its private key cannot be read: {_describe(error)}"


def _handshake(pair: KeyPair, roots: bytes, name: str, flags: int) -> str | None:
    """Connect a client to a server in memory; return the client's error, None if it accepts.

    As in Go, any certificate in `roots` may end the chain, an intermediate too.
    """
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    load_key_pair(server_context, pair.chain, pair.key)
    client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client_context.check_hostname = bool(name)
    client_context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN | flags
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        client_context.load_verify_locations(cadata=roots.decode("ascii", "ignore"))
        server = server_context.wrap_bio(to_server, to_client, server_side=True)
        client = client_context.wrap_bio(to_client, to_server, server_hostname=name or None)
        for side in (client, server, client):
            # After these three flights of TLS 1.3 the client has verified the certificate.
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
    except ssl.SSLError as error:
        return _describe(error)
    return None


def _describe(error: ssl.SSLError) -> str:
    """Return OpenSSL's reason in lower case, such as `unsuitable certificate purpose`."""
    message = getattr(error, "verify_message", "")
    return (
        message.rstrip(".") if message else (error.reason or str(error)).replace("_", " ").lower()
    )


@contextlib.contextmanager
def _memory_file(content: bytes) -> Iterator[str]:
    """Yield a path from which OpenSSL reads `content`, without writing it to a file system."""
    descriptor = os.memfd_create("pem", os.MFD_CLOEXEC)
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(content)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
