import ssl
from pathlib import Path

import pytest

from certs.ca.certificate import KeyPair
from certs.serving import local_ca
from certs.serving.handshake import verify
from certs.serving.local_ca import LocalCA, LocalCAError


@pytest.mark.parametrize("name", [*local_ca.NAMES, "host.example"])
def test_whoever_trusts_the_ca_trusts_the_server_by_every_name(tmp_path: Path, name: str) -> None:
    taken: list[KeyPair] = []
    source = LocalCA([*local_ca.NAMES, "host.example"], tmp_path)
    assert (source.current(), source.status().ready) == (None, False)
    source.start(taken.append)
    assert source.path == tmp_path / "ca.crt"
    assert taken == [source.current()]
    assert source.status().ready
    if name[0].isalpha():
        assert verify(taken[0], source.path.read_bytes(), name) is None
    ssl.create_default_context(cafile=source.path)
    source.stop()


def test_a_name_that_is_none_is_an_error() -> None:
    with pytest.raises(LocalCAError, match=r"^--tls-name: "):
        LocalCA(["not a name"]).start(lambda _pair: None)


def test_a_directory_that_is_asked_for_has_to_be_writable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LocalCAError) as error:
        LocalCA(["localhost"], tmp_path / "file").start(lambda _pair: None)
    assert str(error.value) == f"--state-dir '{tmp_path}/file': file exists"


def test_without_one_the_ca_goes_where_there_is_room_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _pair, ca = local_ca.make(["localhost"])
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert local_ca.publish(ca) == tmp_path / "state" / "convertor-webhook" / "ca.crt"

    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    path = local_ca.publish(ca)
    assert path is not None
    assert path.read_bytes() == ca.pem
    assert path.parent.parent == tmp_path

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "file"))
    assert local_ca.publish(ca) is None


def test_the_users_own_directory_is_taken_where_nothing_else_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    _pair, ca = local_ca.make(["localhost"])
    expected = tmp_path / ".local" / "state" / "convertor-webhook" / "ca.crt"
    assert local_ca.publish(ca) == expected
