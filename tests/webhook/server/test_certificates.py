"""The source of certificates for each configuration, and what the server does with it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from certs.ca.certificate import KeyPair
from certs.serving.files import FileSource
from certs.serving.handshake import parse_key_pair
from certs.serving.local_ca import LocalCA
from certs.serving.self_managed import SelfManaged
from certs.serving.source import Status
from tests.support.certificates import create_certificate, write_certificate
from webhook.server.certificates import TlsKeeper, create_source
from webhook.server.config import Certificates, ConfigError


class FakeSource:
    """A source whose status and key pairs the test sets."""

    def __init__(self) -> None:
        self.state = Status()
        self.offer: Callable[[KeyPair], None] = lambda _pair: None

    def start(self, on_change: Callable[[KeyPair], None]) -> None:
        self.offer = on_change

    def current(self) -> KeyPair | None:
        return None

    def status(self) -> Status:
        return self.state

    def stop(self) -> None:
        pass


def pair(number: int = 0) -> KeyPair:
    return parse_key_pair(create_certificate(number).chain, create_certificate(number).key)


def test_each_configuration_has_its_source(tmp_path: Path) -> None:
    cluster: object = object()  # a source sends no request before it is started
    files = (tmp_path / "tls.crt", tmp_path / "tls.key")
    secret = Certificates(names=("hook.ns.svc",), secret=("ns", "ca"), webhook_config="hook")
    for config, kind in (
        (secret, SelfManaged),
        (Certificates(files=files), FileSource),
        (Certificates(files=files, names=("hook.ns.svc",), webhook_config="hook"), FileSource),
        (Certificates(names=("localhost",)), LocalCA),
    ):
        assert type(create_source(config, cluster)) is kind  # type: ignore[arg-type]


def test_readiness_and_its_reason_are_those_of_the_source() -> None:
    source = FakeSource()
    keeper = TlsKeeper(source, None)
    assert keeper.unready_reason() == "there is no certificate yet"
    source.state = Status(message="waiting until API servers know the CA")
    assert keeper.unready_reason() == "waiting until API servers know the CA"
    source.state = replace(source.state, ready=True)
    assert keeper.unready_reason() == ""


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ({}, "'{dir}/tls.crt': no such file or directory"),
        (
            {"tls.key": create_certificate(1).key},
            "'{dir}/tls.crt', '{dir}/tls.key': the private key does not belong to the certificate",
        ),
        (
            {"tls.crt": b"x"},
            (
                "'{dir}/tls.crt', '{dir}/tls.key': the certificate is not PEM, expected "
                "'-----BEGIN CERTIFICATE-----'"
            ),
        ),
    ],
    ids=["missing", "mismatched", "not PEM"],
)
def test_files_that_cannot_be_served_are_a_config_error(
    tmp_path: Path, contents: dict[str, bytes], message: str
) -> None:
    if contents:
        write_certificate(tmp_path)
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    config = Certificates(files=(tmp_path / "tls.crt", tmp_path / "tls.key"))
    keeper = TlsKeeper(create_source(config, None), None)
    with pytest.raises(ConfigError) as error:
        keeper.start()
    keeper.stop()
    assert str(error.value) == message.format(dir=tmp_path)


def test_a_state_directory_that_cannot_be_written_is_a_config_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    keeper = TlsKeeper(LocalCA(["localhost"], tmp_path / "file"), None)
    with pytest.raises(ConfigError) as error:
        keeper.start()
    assert str(error.value) == f"--state-dir '{tmp_path}/file': file exists"


def test_a_client_ca_without_a_certificate_is_a_config_error(tmp_path: Path) -> None:
    ca = tmp_path / "ca.crt"
    keeper = TlsKeeper(LocalCA(["localhost"], tmp_path / "state"), ca)
    with pytest.raises(ConfigError) as error:
        keeper.start()
    assert str(error.value) == f"'{ca}': no such file or directory"
    ca.write_bytes(b"x")
    # The same with a source that offers its first certificate later, from another thread.
    keeper = TlsKeeper(FakeSource(), ca)
    with pytest.raises(ConfigError) as error:
        keeper.start()
    assert str(error.value) == (
        f"'{ca}': the client CA holds no certificate, expected PEM with "
        "'-----BEGIN CERTIFICATE-----'"
    )


def test_a_new_client_ca_is_loaded_and_an_invalid_one_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ca = tmp_path / "ca.crt"
    ca.write_bytes(create_certificate(0).ca)
    source = FakeSource()
    keeper = TlsKeeper(source, ca)
    keeper.start()
    keeper._loop.stop()
    swapped: list[bytes] = []
    swap = keeper.tls.swap

    def remember(chain: bytes, key: bytes, client_ca: bytes = b"") -> None:
        swap(chain, key, client_ca)
        swapped.append(client_ca)

    monkeypatch.setattr(keeper.tls, "swap", remember)

    # Before there is a certificate, too.
    for content, event in (
        (b"x", "the client CA is not replaced"),
        (create_certificate(2).ca, "client CA loaded"),
    ):
        ca.write_bytes(content)
        with capture_logs() as lines:
            keeper._reload_client_ca()
        assert [line["event"] for line in lines] == [event]
    source.offer(pair())
    assert swapped == [create_certificate(2).ca]
    keeper._reload_client_ca()
    assert len(swapped) == 1
    ca.write_bytes(b"x")
    with capture_logs() as lines:
        keeper._reload_client_ca()
    assert [line["event"] for line in lines] == ["the client CA is not replaced"]
    ca.write_bytes(create_certificate(1).ca)
    keeper._reload_client_ca()
    source.offer(pair(1))
    assert swapped[1:] == [create_certificate(1).ca, create_certificate(1).ca]
    keeper.stop()
