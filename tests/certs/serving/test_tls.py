"""The certificate that clients see, over real sockets."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from certs.serving.handshake import KeyPairError
from certs.serving.tls import ClientCAError, Serving
from tests.support.certificates import made

A, B = made(0), made(1)


@contextlib.asynccontextmanager
async def listening(serving: Serving) -> AsyncIterator[int]:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            while data := await reader.read(100):
                writer.write(data)
            writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0, ssl=serving.context)
    async with server:
        yield server.sockets[0].getsockname()[1]


def client(ca: bytes) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=ca.decode())


def client_of(directory: Path) -> tuple[ssl.SSLContext, bytes]:
    """Make a client with a certificate; give what it connects with, and its CA."""
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
    context = client(A.ca)
    context.load_cert_chain(path)
    return context, pem


async def connect(
    port: int, context: ssl.SSLContext, name: str | None = "localhost"
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=name)


async def trusted(port: int, ca: bytes) -> bool:
    try:
        _, writer = await connect(port, client(ca))
    except (ssl.SSLError, ConnectionError):
        return False
    writer.close()
    with contextlib.suppress(ssl.SSLError, ConnectionError):
        await writer.wait_closed()
    return True


def test_nobody_is_served_before_there_is_a_certificate() -> None:
    async def scene() -> None:
        async with listening(Serving()) as port:
            assert not await trusted(port, A.ca)

    asyncio.run(scene())


def test_a_swap_counts_for_the_next_handshake_and_leaves_connections_alone() -> None:
    async def scene() -> None:
        serving = Serving()
        serving.swap(A.chain, A.key)
        async with listening(serving) as port:
            reader, writer = await connect(port, client(A.ca))
            serving.swap(B.chain, B.key)
            assert await trusted(port, B.ca)
            assert not await trusted(port, A.ca)
            writer.write(b"still here")
            assert await reader.read(100) == b"still here"
            writer.close()

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("chain", "key", "fault"),
    [
        (A.chain, B.key, "the private key does not belong to the certificate"),
        (b"", B.key, "the certificate is not PEM, expected '-----BEGIN CERTIFICATE-----'"),
        (B.chain, b"", "the private key is not PEM, expected '-----BEGIN PRIVATE KEY-----'"),
    ],
)
def test_a_pair_that_cannot_be_served_never_touches_what_is(
    chain: bytes, key: bytes, fault: str
) -> None:
    async def scene() -> None:
        serving = Serving()
        serving.swap(A.chain, A.key)
        with pytest.raises(KeyPairError) as error:
            serving.swap(chain, key)
        assert str(error.value) == fault
        async with listening(serving) as port:
            assert await trusted(port, A.ca)

    asyncio.run(scene())


def test_swapping_under_load_from_another_thread_fails_nobody() -> None:
    async def scene() -> None:
        serving = Serving()
        serving.swap(A.chain, A.key)
        async with listening(serving) as port:

            async def swap() -> None:
                for number in range(20):
                    pair = (B, A)[number % 2]
                    await asyncio.to_thread(serving.swap, pair.chain, pair.key)

            async def call() -> bool:
                both = (A.ca + B.ca).replace(b"\r", b"")
                return all([await trusted(port, both) for _ in range(10)])

            *calls, _ = await asyncio.gather(call(), call(), call(), swap())
            assert calls == [True, True, True]

    asyncio.run(scene())


def test_clients_without_sni_are_served() -> None:
    async def scene() -> None:
        serving = Serving()
        serving.swap(A.chain, A.key)
        context = client(A.ca)
        context.check_hostname = False
        async with listening(serving) as port:
            _, writer = await connect(port, context, name=None)
            writer.close()

    asyncio.run(scene())


def test_versions_and_ciphers_are_todays() -> None:
    async def scene() -> None:
        serving = Serving()
        serving.swap(A.chain, A.key)
        async with listening(serving) as port:
            found = set()
            for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                context = client(A.ca)
                context.minimum_version = context.maximum_version = version
                _, writer = await connect(port, context)
                found.add(writer.get_extra_info("cipher")[1])
                writer.close()
            assert found == {"TLSv1.2", "TLSv1.3"}
            weak = client(A.ca)
            weak.maximum_version = ssl.TLSVersion.TLSv1_2
            weak.set_ciphers("ECDHE-ECDSA-AES256-SHA384:@SECLEVEL=0")
            with pytest.raises((ssl.SSLError, ConnectionError)):
                await connect(port, weak)

    asyncio.run(scene())


def test_with_a_client_ca_only_its_clients_are_served_also_after_a_swap(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    async def served(port: int, context: ssl.SSLContext) -> bool:
        try:
            reader, writer = await connect(port, context)
            writer.write(b"hello")
            answer = await reader.read(100)
            writer.close()
        except (ssl.SSLError, ConnectionError):
            return False
        return answer == b"hello"

    async def scene() -> None:
        one, one_ca = client_of(tmp_path_factory.mktemp("one"))
        two, two_ca = client_of(tmp_path_factory.mktemp("two"))
        clients = (client(A.ca), one, two)
        serving = Serving(client_auth=True)
        async with listening(serving) as port:
            serving.swap(A.chain, A.key, one_ca)
            assert [await served(port, who) for who in clients] == [False, True, False]
            serving.swap(A.chain, A.key, two_ca)
            assert [await served(port, who) for who in clients] == [False, False, True]

    asyncio.run(scene())


@pytest.mark.parametrize("client_ca", [b"", b"no PEM", "kein Pläm".encode()])
def test_a_client_ca_without_a_certificate_changes_nothing(client_ca: bytes) -> None:
    serving = Serving(client_auth=True)
    with pytest.raises(ClientCAError) as error:
        serving.swap(A.chain, A.key, client_ca)
    assert str(error.value) == (
        "the client CA holds no certificate, expected PEM with '-----BEGIN CERTIFICATE-----'"
    )
