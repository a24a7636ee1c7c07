"""The certificate that is served, replaced whole and while serving.

`load_cert_chain` on a live context is a trap: a pair that does not match raises *and* breaks
every later handshake, and under load most handshakes of the moment fail. So the listener's
context holds no certificate at all; its `sni_callback`, called for every handshake with or
without SNI, points the connection at the context of the day. Replacing that is one
assignment, and a bad pair never gets there. Live connections keep what they began with.
"""

import ssl

from certs.serving import handshake

CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""For TLS 1.2; those of 1.3 are all good."""


class ClientCAError(ValueError):
    """A client CA that cannot be used; the text says why."""


def check_client_ca(client_ca: bytes) -> None:
    """Find out whether clients of this CA (PEM) can be told from others, or raise ClientCAError."""
    _trust(_context(client_auth=True), client_ca)


class Serving:
    """The TLS side of the listener: a context for it, and the certificate to swap."""

    def __init__(self, *, client_auth: bool = False) -> None:
        """Make the listener's context; until the first `swap` it refuses every handshake.

        Whether clients must show a certificate is decided here once, because OpenSSL takes
        that from the context a connection began with; by which CA is swapped with the rest.
        """
        self.context = _context(client_auth=client_auth)
        self.context.sni_callback = self._choose
        self._client_auth = client_auth
        self._current: ssl.SSLContext | None = None

    def swap(self, chain: bytes, key: bytes, client_ca: bytes = b"") -> None:
        """Serve this pair, and clients of this CA, from the next handshake on (all PEM).

        Safe to call from any thread. Raises `certs.serving.handshake.KeyPairError` or ClientCAError
        and then changes nothing.
        """
        fresh = _context(client_auth=self._client_auth)
        handshake.load_key_pair(fresh, chain, key)
        if self._client_auth:
            _trust(fresh, client_ca)
        self._current = fresh

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


def _trust(context: ssl.SSLContext, client_ca: bytes) -> None:
    try:
        context.load_verify_locations(cadata=client_ca.decode("ascii"))
    except (ssl.SSLError, ValueError):
        raise ClientCAError(
            "the client CA holds no certificate, expected PEM with '-----BEGIN CERTIFICATE-----'"
        ) from None
