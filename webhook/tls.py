"""The certificate that is served, replaced whole and while serving.

`load_cert_chain` on a live context is a trap: a pair that does not match raises *and* breaks
every later handshake, and under load most handshakes of the moment fail. So the listener's
context holds no certificate at all; its `sni_callback`, called for every handshake with or
without SNI, points the connection at the context of the day. Replacing that is one
assignment, and a bad pair never gets there. Live connections keep what they began with.

PEM comes as bytes and goes to OpenSSL through `memfd_create`, so that neither a private key
nor a writable file system is needed on disk.
"""

import contextlib
import os
import ssl
from collections.abc import Iterator

from certs.certificate import Certificate, parse

CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""For TLS 1.2; those of 1.3 are all good."""

_NO_CHECK_TIME = 0x200000
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which `ssl` does not name."""


class CertificateError(Exception):
    """A certificate, key or client CA that cannot be served; the text says why."""


class Serving:
    """The TLS side of the listener: a context for it, and the certificate to swap."""

    def __init__(self, *, client_auth: bool = False) -> None:
        """Make the listener's context; until the first `swap` it refuses every handshake.

        Whether clients must show a certificate is decided here once, because OpenSSL takes
        that from the context a connection began with; by which CA is swapped with the rest.
        """
        self.certificate: Certificate | None = None
        self._client_auth = client_auth
        self._current: ssl.SSLContext | None = None
        self.context = _context(client_auth=client_auth)
        self.context.sni_callback = self._choose

    def swap(self, cert_pem: bytes, key_pem: bytes, client_ca_pem: bytes | None = None) -> None:
        """Serve this pair from the next handshake on.

        Safe to call from any thread. Raises CertificateError, and then changes nothing.
        """
        fresh = _context(client_auth=self._client_auth)
        _load_pair(fresh, cert_pem, key_pem)
        if self._client_auth:
            _load_client_ca(fresh, client_ca_pem or b"")
        _shake_hands(fresh, cert_pem)
        self._current, self.certificate = fresh, parse(cert_pem)[0]

    def _choose(
        self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext
    ) -> int | None:
        if self._current is None:
            return int(ssl.AlertDescription.ALERT_DESCRIPTION_INTERNAL_ERROR)
        connection.context = self._current
        return None


def _context(*, client_auth: bool) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    # The API server never resumes a session: tickets would be made and sent for nothing.
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_TICKET
    context.num_tickets = 0
    if client_auth:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _load_pair(context: ssl.SSLContext, cert_pem: bytes, key_pem: bytes) -> None:
    def no_password() -> str:
        raise CertificateError("the private key is encrypted, expected one without a password")

    try:
        with _in_memory(cert_pem) as cert, _in_memory(key_pem) as key:
            context.load_cert_chain(cert, key, password=no_password)
    except ssl.SSLError as error:
        raise CertificateError(_pair_fault(error, cert_pem, key_pem)) from None


def _pair_fault(error: ssl.SSLError, cert_pem: bytes, key_pem: bytes) -> str:
    if error.reason in {"KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH"}:
        return "the private key does not belong to the certificate"
    if b"-----BEGIN CERTIFICATE-----" not in cert_pem:
        return "the certificate is no PEM, expected '-----BEGIN CERTIFICATE-----'"
    if b"PRIVATE KEY-----" not in key_pem:
        return "the private key is no PEM, expected '-----BEGIN PRIVATE KEY-----'"
    return f"the certificate or its private key cannot be read: {_words(error)}"


def _load_client_ca(context: ssl.SSLContext, pem: bytes) -> None:
    try:
        context.load_verify_locations(cadata=pem.decode("ascii"))
    except (ssl.SSLError, ValueError):
        raise CertificateError(
            "the client CA holds no certificate, expected PEM with '-----BEGIN CERTIFICATE-----'"
        ) from None


def _shake_hands(serving: ssl.SSLContext, cert_pem: bytes) -> None:
    """Try the context on a client of our own.

    The client trusts the leaf itself and asks for no date: whether it is valid now is the
    caller's clock against that of others. A leaf that is not made for servers fails here.
    """
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname = False
    trusting.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN | _NO_CHECK_TIME
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        trusting.load_verify_locations(cadata=cert_pem.decode("ascii", "ignore"))
        client = trusting.wrap_bio(to_client, to_server)
        server = serving.wrap_bio(to_server, to_client, server_side=True)
        with contextlib.suppress(ssl.SSLWantReadError):
            client.do_handshake()
        with contextlib.suppress(ssl.SSLWantReadError):
            server.do_handshake()
        # With TLS 1.3 the server has said all; what it thinks of the client is not asked.
        client.do_handshake()
    except ssl.SSLError as error:
        raise CertificateError(f"a handshake with the certificate fails: {_words(error)}") from None


def _words(error: ssl.SSLError) -> str:
    """OpenSSL's reason as words: `unsuitable certificate purpose`."""
    detail = getattr(error, "verify_message", "") or (error.reason or str(error))
    return detail.replace("_", " ").lower()


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
