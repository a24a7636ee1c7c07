"""A TLS context whose certificate can be replaced while connections are served.

`load_cert_chain` must not be called on a live context: a key pair that does not match breaks all
later handshakes, and under load most handshakes during the call fail. The listener's context
therefore has no certificate. Its `sni_callback`, which OpenSSL calls in every handshake, with or
without SNI, switches the connection to the current context. Replacing that is one assignment, and
a bad key pair is never assigned. Open connections keep the context that they started with.
"""

import ssl

from certs.serving.handshake import load_key_pair

CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""The cipher suites of TLS 1.2; those of TLS 1.3 are all good."""

CURVE = "prime256v1"
"""The only key exchange: P-256, which every API server offers, also in FIPS mode.

By default OpenSSL also accepts finite fields, and one handshake with ffdhe8192 takes as long as 300
others. Before Python 3.15 a context accepts either all groups or one.
"""


class ClientCAError(ValueError):
    """A client CA that cannot be used; the text says why."""


def check_client_ca(client_ca: bytes) -> None:
    """Raise ClientCAError unless clients can be verified by this CA (PEM)."""
    _load_client_ca(_create_context(client_auth=True), client_ca)


class SwappableContext:
    """The listener's TLS context, and the certificate to swap."""

    def __init__(self, *, client_auth: bool = False) -> None:
        """Create the listener's context, which refuses every handshake until the first `swap`.

        `client_auth` requires a client certificate. It cannot change later, because OpenSSL reads
        it from the context that a connection started with; the client CA is swapped.
        """
        self.context = _create_context(client_auth=client_auth)
        self.context.sni_callback = self._switch_context
        self._client_auth = client_auth
        self._current: ssl.SSLContext | None = None

    def swap(self, chain: bytes, key: bytes, client_ca: bytes = b"") -> None:
        """Serve this key pair from the next handshake on, to clients of this CA (all PEM).

        Safe to call from any thread. Raises `certs.serving.handshake.KeyPairError` or ClientCAError
        and then changes nothing.
        """
        new = _create_context(client_auth=self._client_auth)
        load_key_pair(new, chain, key)
        if self._client_auth:
            _load_client_ca(new, client_ca)
        self._current = new

    def _switch_context(
        self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext
    ) -> int | None:
        if self._current is None:
            return int(ssl.AlertDescription.ALERT_DESCRIPTION_INTERNAL_ERROR)
        connection.context = self._current
        return None


def _create_context(*, client_auth: bool) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    # OpenSSL reads it from the context that a connection started with, the listener's.
    context.set_ecdh_curve(CURVE)
    # API servers never resume a session, so tickets would be made and sent for nothing.
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_TICKET
    context.num_tickets = 0
    if client_auth:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _load_client_ca(context: ssl.SSLContext, client_ca: bytes) -> None:
    try:
        context.load_verify_locations(cadata=client_ca.decode("ascii"))
    except (ssl.SSLError, ValueError):
        raise ClientCAError(
            "the client CA holds no certificate, expected PEM with '-----BEGIN CERTIFICATE-----'"
        ) from None
