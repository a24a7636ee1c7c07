"""API servers and a proxy that answer every request alike and record what was sent."""

import datetime as dt
import functools
import http.server
import json
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.certificates import write_certificate

BODY = json.dumps({"kind": "List", "metadata": {}, "items": None}).encode()


class Sent(NamedTuple):
    """A request to an API server."""

    server: str
    """`a` or `b`, which have TLS, or `c`, which has not."""
    credentials: tuple[str, ...] = ()
    """Headers and the client certificate, sorted: `Authorization: Bearer x`, `Certificate: me`."""
    path: str = "/version"


class Recorder(NamedTuple):
    """Three API servers and two proxies. All use the loopback interface."""

    sent: list[Sent]
    connected: list[str]
    """Requests to the proxy: `CONNECT api.example.com:6443`, `SOCKS5 api.example.com:6443`."""
    ports: dict[str, int]
    """Of `a`, `b`, `c`, `proxy`, and `tls_proxy`, which has TLS.

    The proxies connect to `a`, whatever the client's request.
    """
    ca: Path
    server_cert: Path
    client_cert: Path
    client_key: Path


@contextmanager
def run_recorder(folder: Path) -> Iterator[Recorder]:
    files = write_certificate(folder)
    cert, key = folder / "client.crt", folder / "client.key"
    cert.write_bytes(_create_client_certificate()[0])
    key.write_bytes(_create_client_certificate()[1])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.cert, files.key)
    context.load_verify_locations(cert)
    context.verify_mode = ssl.CERT_OPTIONAL
    recorder = Recorder([], [], {}, files.ca, files.cert, cert, key)
    servers: list[_ApiServer | _Proxy] = [
        _ApiServer(recorder, "a", context),
        _ApiServer(recorder, "b", context),
        _ApiServer(recorder, "c"),
        _Proxy(recorder),
        _Proxy(recorder, context),
    ]
    names = ("a", "b", "c", "proxy", "tls_proxy")
    ports = (each.server_address[1] for each in servers)
    recorder.ports.update(zip(names, ports, strict=True))
    for server in servers:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield recorder
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()


class _ApiServer(http.server.ThreadingHTTPServer):
    def __init__(
        self, recorder: Recorder, name: str, context: ssl.SSLContext | None = None
    ) -> None:
        self.recorder = recorder
        self.name = name
        super().__init__(("127.0.0.1", 0), _ApiHandler)
        _add_tls(self, context)

    def handle_error(self, *_: object) -> None:
        pass  # a client that does not trust the certificate closes the connection


class _ApiHandler(http.server.BaseHTTPRequestHandler):
    server: _ApiServer

    def do_GET(self) -> None:
        self.server.recorder.sent.append(
            Sent(self.server.name, tuple(sorted(self._credentials())), self.path)
        )
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def _credentials(self) -> Iterator[str]:
        for name, value in self.headers.items():
            if name.lower().startswith(("authorization", "impersonate-")):
                yield f"{name.title()}: {value.encode('latin-1').decode()}"
        certificate: Any = isinstance(self.connection, ssl.SSLSocket) and (
            self.connection.getpeercert()
        )
        if certificate:
            yield f"Certificate: {certificate['subject'][0][0][1]}"

    def log_message(self, *_: object) -> None:
        pass


class _Proxy(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, recorder: Recorder, context: ssl.SSLContext | None = None) -> None:
        self.recorder = recorder
        super().__init__(("127.0.0.1", 0), _ProxyHandler)
        _add_tls(self, context)

    def handle_error(self, *_: object) -> None:
        pass  # a client that does not trust the certificate closes the connection


class _ProxyHandler(socketserver.StreamRequestHandler):
    server: _Proxy

    def handle(self) -> None:
        first = self.rfile.read(1)
        target = self._accept_socks5() if first == b"\x05" else self._accept_http(first)
        self.server.recorder.connected.append(target)
        port = self.server.recorder.ports["a"]
        with socket.create_connection(("127.0.0.1", port)) as upstream:
            copying = threading.Thread(target=_copy, args=(upstream, self.connection), daemon=True)
            copying.start()
            _copy(self.connection, upstream)
            copying.join(5)

    def _accept_http(self, first: bytes) -> str:
        method, target, _ = (first + self.rfile.readline()).decode().split()
        headers = b"".join(iter(self.rfile.readline, b"\r\n")).decode().splitlines()
        self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
        login = (line for line in headers if line.lower().startswith("proxy-authorization"))
        return " ".join([method, target, *(line.split(": ")[1] for line in login)])

    def _accept_socks5(self) -> str:
        methods = self.rfile.read(self.rfile.read(1)[0])
        if 2 in methods:
            self.wfile.write(b"\x05\x02")
            self.rfile.read(1)
            user, password = (self.rfile.read(self.rfile.read(1)[0]).decode() for _ in range(2))
            self.wfile.write(b"\x01\x00")
            login = f" {user}:{password}"
        else:
            self.wfile.write(b"\x05\x00")
            login = ""
        kind = self.rfile.read(4)[3]
        if kind == 3:
            host = self.rfile.read(self.rfile.read(1)[0]).decode()
        else:
            host = socket.inet_ntop(
                socket.AF_INET if kind == 1 else socket.AF_INET6,
                self.rfile.read(4 if kind == 1 else 16),
            )
        port = int.from_bytes(self.rfile.read(2))
        self.wfile.write(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
        return f"SOCKS5 {host}:{port}{login}"


def _add_tls(server: socketserver.TCPServer, context: ssl.SSLContext | None) -> None:
    if context:
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(1 << 16):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


@functools.cache
def _create_client_certificate() -> tuple[bytes, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "me")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM), key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
