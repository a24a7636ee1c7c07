"""Sources of certificates, and what the server makes of them."""

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
from tests.support.certificates import made, write
from webhook.server import certificates
from webhook.server.certificates import Served
from webhook.server.config import Certificates, ConfigError


class FakeSource:
    """A source that does what it is told."""

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
    return parse_key_pair(made(number).chain, made(number).key)


def test_each_way_has_its_source(tmp_path: Path) -> None:
    cluster: object = object()  # sources talk to it when they are started, not before
    files = (tmp_path / "tls.crt", tmp_path / "tls.key")
    secret = Certificates(names=("hook.ns.svc",), secret=("ns", "ca"), webhook_config="hook")
    for config, kind in (
        (secret, SelfManaged),
        (Certificates(files=files), FileSource),
        (Certificates(files=files, names=("hook.ns.svc",), webhook_config="hook"), FileSource),
        (Certificates(names=("localhost",)), LocalCA),
    ):
        assert type(certificates.source(config, cluster)) is kind  # type: ignore[arg-type]


def test_the_server_is_ready_when_the_source_is_and_says_what_it_says() -> None:
    source = FakeSource()
    served = Served(source, None)
    assert served.missing() == "there is no certificate yet"
    source.state = Status(message="waiting until API servers know the CA")
    assert served.missing() == "waiting until API servers know the CA"
    source.state = replace(source.state, ready=True)
    assert served.missing() == ""


@pytest.mark.parametrize(
    ("contents", "fault"),
    [
        ({}, "'{dir}/tls.crt': no such file or directory"),
        (
            {"tls.key": made(1).key},
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
    ids=["missing", "mismatched", "no PEM"],
)
def test_files_that_cannot_be_served_stop_the_start(
    tmp_path: Path, contents: dict[str, bytes], fault: str
) -> None:
    if contents:
        write(tmp_path)
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    config = Certificates(files=(tmp_path / "tls.crt", tmp_path / "tls.key"))
    served = Served(certificates.source(config, None), None)
    with pytest.raises(ConfigError) as error:
        served.start()
    served.stop()
    assert str(error.value) == fault.format(dir=tmp_path)


def test_a_client_ca_that_is_none_stops_the_start(tmp_path: Path) -> None:
    ca = tmp_path / "ca.crt"
    served = Served(LocalCA(["localhost"], tmp_path / "state"), ca)
    with pytest.raises(ConfigError) as error:
        served.start()
    assert str(error.value) == f"'{ca}': no such file or directory"
    ca.write_bytes(b"x")
    # Also where its certificate comes later, from another thread.
    served = Served(FakeSource(), ca)
    with pytest.raises(ConfigError) as error:
        served.start()
    assert str(error.value) == (
        f"'{ca}': the client CA holds no certificate, expected PEM with "
        "'-----BEGIN CERTIFICATE-----'"
    )


def test_a_new_client_ca_is_read_and_a_bad_one_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ca = tmp_path / "ca.crt"
    ca.write_bytes(made(0).ca)
    source = FakeSource()
    served = Served(source, ca)
    served.start()
    served._watch.stop()
    swapped: list[bytes] = []
    swap = served.tls.swap

    def remember(chain: bytes, key: bytes, client_ca: bytes = b"") -> None:
        swap(chain, key, client_ca)
        swapped.append(client_ca)

    monkeypatch.setattr(served.tls, "swap", remember)

    # Before there is a certificate as well.
    for content, told in ((b"x", "the client CA is not replaced"), (made(2).ca, "client CA read")):
        ca.write_bytes(content)
        with capture_logs() as lines:
            served._look()
        assert [line["event"] for line in lines] == [told]
    source.offer(pair())
    assert swapped == [made(2).ca]
    served._look()
    assert len(swapped) == 1
    ca.write_bytes(b"x")
    with capture_logs() as lines:
        served._look()
    assert [line["event"] for line in lines] == ["the client CA is not replaced"]
    ca.write_bytes(made(1).ca)
    served._look()
    source.offer(pair(1))
    assert swapped[1:] == [made(1).ca, made(1).ca]
