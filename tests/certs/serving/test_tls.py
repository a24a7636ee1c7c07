"""The certificate that clients get, over real sockets."""

import asyncio
import contextlib
import ssl
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from certs.serving.handshake import KeyPairError, load_key_pair
from certs.serving.tls import ClientCAError, SwappableContext
from tests.support.certificates import create_certificate

A, B = create_certificate(0), create_certificate(1)


@contextlib.asynccontextmanager
async def listen(context: ssl.SSLContext) -> AsyncIterator[int]:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            while data := await reader.read(100):
                writer.write(data)
            writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


def trust(ca: bytes) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=ca.decode())


def make_client(directory: Path) -> tuple[ssl.SSLContext, bytes]:
    """Return the TLS context of a client with a certificate, and the PEM of its CA."""
    now, hour = datetime.now(UTC), timedelta(hours=1)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kube-apiserver")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now - hour, now + hour)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(Encoding.PEM)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path = directory / "client.pem"
    path.write_bytes(pem + private)
    context = trust(A.ca)
    context.load_cert_chain(path)
    return context, pem


async def connect(
    port: int, context: ssl.SSLContext, name: str | None = "localhost"
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=name)


async def is_trusted(port: int, ca: bytes) -> bool:
    try:
        _, writer = await connect(port, trust(ca))
    except (ssl.SSLError, ConnectionError):
        return False
    writer.close()
    with contextlib.suppress(ssl.SSLError, ConnectionError):
        await writer.wait_closed()
    return True


def test_handshakes_fail_until_there_is_a_certificate() -> None:
    async def scenario() -> None:
        async with listen(SwappableContext().context) as port:
            assert not await is_trusted(port, A.ca)

    asyncio.run(scenario())


def test_a_swap_affects_new_handshakes_and_not_open_connections() -> None:
    async def scenario() -> None:
        tls = SwappableContext()
        tls.swap(A.chain, A.key)
        async with listen(tls.context) as port:
            reader, writer = await connect(port, trust(A.ca))
            tls.swap(B.chain, B.key)
            assert await is_trusted(port, B.ca)
            assert not await is_trusted(port, A.ca)
            writer.write(b"still open")
            assert await reader.read(100) == b"still open"
            writer.close()

    asyncio.run(scenario())


OPENSSL_CONF = """\
openssl_conf = openssl
[openssl]
ssl_conf = ssl
[ssl]
system_default = client
[client]
Groups = {groups}
"""

CLIENT = """\
import socket, ssl, sys
context = ssl._create_unverified_context()
with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as connection:
    try:
        context.wrap_socket(connection).close()
    except (ssl.SSLError, ConnectionError):
        print("refused")
    else:
        print("accepted")
"""


@pytest.mark.parametrize(
    ("groups", "accepted"),
    [
        ("X25519:P-256", True),
        ("P-256", True),  # all that a client in FIPS mode may offer
        ("ffdhe2048", False),
        ("ffdhe8192", False),
    ],
)
def test_a_client_cannot_choose_an_expensive_key_exchange(
    groups: str, accepted: bool, tmp_path: Path
) -> None:
    config = tmp_path / "openssl.cnf"
    config.write_text(OPENSSL_CONF.format(groups=groups))

    async def connects(port: int) -> bool:
        """Run a client that offers these groups; `ssl` itself can select only curves."""
        client = await asyncio.create_subprocess_exec(
            *(sys.executable, "-Ic", CLIENT, str(port)),
            env={"OPENSSL_CONF": str(config)},
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await client.communicate()
        return {"accepted": True, "refused": False}[output.decode().strip()]

    async def scenario() -> None:
        tls, usual = SwappableContext(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.swap(A.chain, A.key)
        load_key_pair(usual, A.chain, A.key)
        async with listen(tls.context) as port, listen(usual) as usual_port:
            assert await connects(usual_port)
            assert await connects(port) is accepted

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("chain", "key", "message"),
    [
        (A.chain, B.key, "the private key does not belong to the certificate"),
        (b"", B.key, "the certificate is not PEM, expected '-----BEGIN CERTIFICATE-----'"),
        (B.chain, b"", "the private key is not PEM, expected '-----BEGIN PRIVATE KEY-----'"),
    ],
)
def test_a_key_pair_that_cannot_be_served_changes_nothing(
    chain: bytes, key: bytes, message: str
) -> None:
    async def scenario() -> None:
        tls = SwappableContext()
        tls.swap(A.chain, A.key)
        with pytest.raises(KeyPairError) as error:
            tls.swap(chain, key)
        assert str(error.value) == message
        async with listen(tls.context) as port:
            assert await is_trusted(port, A.ca)

    asyncio.run(scenario())


def test_swapping_under_load_from_another_thread_fails_no_handshake() -> None:
    async def scenario() -> None:
        tls = SwappableContext()
        tls.swap(A.chain, A.key)
        async with listen(tls.context) as port:

            async def swap() -> None:
                for number in range(20):
                    pair = (B, A)[number % 2]
                    await asyncio.to_thread(tls.swap, pair.chain, pair.key)

            async def call() -> bool:
                both = (A.ca + B.ca).replace(b"\r", b"")
                return all([await is_trusted(port, both) for _ in range(10)])

            *calls, _ = await asyncio.gather(call(), call(), call(), swap())
            assert calls == [True, True, True]

    asyncio.run(scenario())


def test_clients_without_sni_are_served() -> None:
    async def scenario() -> None:
        tls = SwappableContext()
        tls.swap(A.chain, A.key)
        context = trust(A.ca)
        context.check_hostname = False
        async with listen(tls.context) as port:
            _, writer = await connect(port, context, name=None)
            writer.close()

    asyncio.run(scenario())


def test_only_tls_1_2_and_1_3_with_strong_ciphers_are_served() -> None:
    async def scenario() -> None:
        tls = SwappableContext()
        tls.swap(A.chain, A.key)
        async with listen(tls.context) as port:
            found = set()
            for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                context = trust(A.ca)
                context.minimum_version = context.maximum_version = version
                _, writer = await connect(port, context)
                found.add(writer.get_extra_info("cipher")[1])
                writer.close()
            assert found == {"TLSv1.2", "TLSv1.3"}
            weak = trust(A.ca)
            weak.maximum_version = ssl.TLSVersion.TLSv1_2
            weak.set_ciphers("ECDHE-ECDSA-AES256-SHA384:@SECLEVEL=0")
            with pytest.raises((ssl.SSLError, ConnectionError)):
                await connect(port, weak)

    asyncio.run(scenario())


def test_only_clients_of_the_client_ca_are_served_after_each_swap(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    async def is_served(port: int, context: ssl.SSLContext) -> bool:
        try:
            reader, writer = await connect(port, context)
            writer.write(b"hello")
            answer = await reader.read(100)
            writer.close()
        except (ssl.SSLError, ConnectionError):
            return False
        return answer == b"hello"

    async def scenario() -> None:
        one, one_ca = make_client(tmp_path_factory.mktemp("one"))
        two, two_ca = make_client(tmp_path_factory.mktemp("two"))
        clients = (trust(A.ca), one, two)
        tls = SwappableContext(client_auth=True)
        async with listen(tls.context) as port:
            tls.swap(A.chain, A.key, one_ca)
            assert [await is_served(port, each) for each in clients] == [False, True, False]
            tls.swap(A.chain, A.key, two_ca)
            assert [await is_served(port, each) for each in clients] == [False, False, True]

    asyncio.run(scenario())


@pytest.mark.parametrize("client_ca", [b"", b"no PEM", "kein Pläm".encode()])
def test_a_client_ca_without_a_certificate_changes_nothing(client_ca: bytes) -> None:
    tls = SwappableContext(client_auth=True)
    with pytest.raises(ClientCAError) as error:
        tls.swap(A.chain, A.key, client_ca)
    assert str(error.value) == (
        "the client CA holds no certificate, expected PEM with '-----BEGIN CERTIFICATE-----'"
    )
