import ssl
from pathlib import Path

import pytest

from certs.ca.certificate import KeyPair
from certs.serving.handshake import verify
from certs.serving.local_ca import LOCAL_NAMES, LocalCA, LocalCAError, create_key_pair, write_ca


@pytest.mark.parametrize("name", [*LOCAL_NAMES, "host.example"])
def test_a_client_that_trusts_the_ca_accepts_every_name(tmp_path: Path, name: str) -> None:
    pairs: list[KeyPair] = []
    source = LocalCA([*LOCAL_NAMES, "host.example"], tmp_path)
    assert (source.current(), source.status().ready) == (None, False)
    source.start(pairs.append)
    assert source.path == tmp_path / "ca.crt"
    assert pairs == [source.current()]
    assert source.status().ready
    if name[0].isalpha():
        assert verify(pairs[0], source.path.read_bytes(), name) is None
    ssl.create_default_context(cafile=source.path)
    source.stop()


def test_an_invalid_name_is_an_error() -> None:
    with pytest.raises(LocalCAError, match=r"^--tls-name: "):
        LocalCA(["not a name"]).start(lambda _pair: None)


def test_a_given_directory_must_be_writable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LocalCAError) as error:
        LocalCA(["localhost"], tmp_path / "file").start(lambda _pair: None)
    assert str(error.value) == f"--state-dir '{tmp_path}/file': file exists"


def test_without_a_given_directory_the_first_writable_one_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _pair, ca = create_key_pair(["localhost"])
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert write_ca(ca) == tmp_path / "state" / "convertor-webhook" / "ca.crt"

    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    path = write_ca(ca)
    assert path is not None
    assert path.read_bytes() == ca.pem
    assert path.parent.parent == tmp_path

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "file"))
    assert write_ca(ca) is None


def test_the_default_directory_is_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    _pair, ca = create_key_pair(["localhost"])
    expected = tmp_path / ".local" / "state" / "convertor-webhook" / "ca.crt"
    assert write_ca(ca) == expected
