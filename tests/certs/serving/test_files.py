from datetime import datetime, timedelta
from pathlib import Path

import pytest

from certs.ca.certificate import KeyPair, encode_pem
from certs.ca.durations import Durations
from certs.serving import handshake
from certs.serving.clock import Clock
from certs.serving.files import FileSource
from certs.serving.provided_ca import Provided
from tests.certs.fake import TARGETS, ApiServer, Client, Time
from tests.certs.files import DAY, NAME, NOW, Mount, make_ca, make_files
from tests.certs.world import QUICK

CA = make_ca()
FILES = make_files(CA)


class Elapsing:
    """A clock that is moved by hand, from now."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.clock = Clock(wall=self.wall, monotonic=lambda: self.seconds)

    def wall(self) -> datetime:
        return NOW + timedelta(seconds=self.seconds)


@pytest.fixture
def time() -> Elapsing:
    return Elapsing()


@pytest.fixture
def mount(tmp_path: Path) -> Mount:
    return Mount(tmp_path, FILES)


def source_of(mount: Mount, time: Elapsing, provided: Provided | None = None) -> FileSource:
    return FileSource(
        mount.path("tls.crt"),
        mount.path("tls.key"),
        name=NAME,
        provided=provided,
        clock=time.clock,
    )


def served(source: FileSource) -> bytes:
    pair = source.current()
    return pair.chain if pair else b""


def test_a_pair_that_is_there_is_served_from_the_start(mount: Mount, time: Elapsing) -> None:
    source = source_of(mount, time)
    handed: list[KeyPair] = []
    source.start(handed.append)
    source.stop()
    assert [pair.chain for pair in handed] == [FILES["tls.crt"]]
    status = source.status()
    assert (status.ready, status.published, status.changes) == (True, True, 1)
    assert (status.not_after, status.message) == (NOW + 7 * DAY, "")


def test_a_new_version_of_a_mounted_secret_is_served(mount: Mount, time: Elapsing) -> None:
    source = source_of(mount, time)
    source.step()
    new = make_files(CA)
    mount.update(new)
    assert source.step() == 10
    assert served(source) == new["tls.crt"]
    assert source.status().changes == 2


def test_files_that_are_no_mounted_secret_are_served(tmp_path: Path, time: Elapsing) -> None:
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    source = FileSource(tmp_path / "tls.crt", tmp_path / "tls.key", clock=time.clock)
    source.step()
    assert served(source) == FILES["tls.crt"]


OTHER_KEY = {**FILES, "tls.key": make_files(CA)["tls.key"]}
OVER = make_files(CA, now=NOW - 9 * DAY, life=DAY)
EARLY = make_files(CA, now=NOW + 3 * DAY)
MISNAMED = make_files(CA, "other.svc")


@pytest.mark.parametrize(
    ("files", "fault"),
    [
        (OTHER_KEY, "'{0}/tls.crt', '{0}/tls.key': the private key does not belong to the cert"),
        ({**FILES, "tls.crt": b""}, "'{0}/tls.crt', '{0}/tls.key': the certificate is not PEM"),
        ({"tls.crt": FILES["tls.crt"]}, "'{0}/tls.key': no such file or directory"),
        (MISNAMED, "'{0}/tls.crt', '{0}/tls.key': a handshake with the certificate fails: Hostn"),
        (OVER, f"'{{0}}/tls.crt': expired at {(NOW - 8 * DAY).isoformat()}"),
        (EARLY, f"'{{0}}/tls.crt': not valid before {(NOW + 2 * DAY).isoformat()}"),
    ],
    ids=["another key", "no certificate", "no key", "another name", "expired", "too early"],
)
def test_a_bad_pair_is_told_of_and_the_good_one_stays(
    mount: Mount, time: Elapsing, files: dict[str, bytes], fault: str
) -> None:
    source = source_of(mount, time)
    source.step()
    mount.update(files)
    source.step()
    assert served(source) == FILES["tls.crt"]
    assert source.status().message.startswith(fault.format(mount.directory))
    assert source.status().ready

    mount.update(make_files(CA))
    source.step()
    assert source.status().message == ""


def test_a_certificate_that_is_over_makes_the_server_unready(mount: Mount, time: Elapsing) -> None:
    source = source_of(mount, time)
    source.step()
    time.seconds = (8 * DAY).total_seconds()
    source.step()
    status = source.status()
    assert not status.ready
    assert status.message == f"'{mount.path('tls.crt')}': expired at {(NOW + 7 * DAY).isoformat()}"


def test_without_anything_better_what_is_over_is_served(tmp_path: Path, time: Elapsing) -> None:
    source = source_of(Mount(tmp_path, OVER), time)
    source.step()
    assert served(source) == OVER["tls.crt"]
    assert not source.status().ready


@pytest.fixture
def api() -> ApiServer:
    return ApiServer(Time())


@pytest.fixture
def source(mount: Mount, time: Elapsing, api: ApiServer) -> FileSource:
    provided = Provided(Client(api), mount.path("ca.crt"), NAME, Durations(), time.clock)
    return source_of(mount, time, provided)


def test_the_ca_beside_a_certificate_is_published(
    source: FileSource, time: Elapsing, api: ApiServer
) -> None:
    source.step()
    assert api.bundles() == [(CA.certificate,)] * 3
    assert (source.status().published, source.status().ready) == (True, False)
    assert source.status().message == "waiting until API servers know the CA"
    for _ in range(5):
        time.seconds += 1
        source.step()
    assert source.status().ready
    assert source.status().ca_not_after == CA.certificate.not_after


def test_without_its_ca_nothing_is_published(
    source: FileSource, mount: Mount, api: ApiServer
) -> None:
    mount.update({**FILES, "ca.crt": b"none"})
    source.step()
    assert api.bundles() == [()] * 3
    assert source.status().message == (
        f"'{mount.path('ca.crt')}': no certificate, expected '-----BEGIN CERTIFICATE-----'"
    )


def test_a_certificate_of_another_ca_than_the_one_beside_it_is_never_ready(
    source: FileSource, mount: Mount, time: Elapsing
) -> None:
    mount.update({**FILES, "ca.crt": make_ca().certificate.pem})
    for _ in range(9):
        time.seconds += 1
        source.step()
    assert (source.status().published, source.status().ready) == (False, False)
    assert source.status().message == (
        "API servers refuse the certificate: unable to get local issuer certificate"
    )


def run(source: FileSource, time: Elapsing, seconds: float) -> None:
    until = time.seconds + seconds
    while time.seconds < until:
        time.seconds += 10
        source.step()


NEW_CA = make_ca()
NEW = make_files(NEW_CA)
BOTH = {**FILES, "ca.crt": FILES["ca.crt"] + NEW["ca.crt"]}


@pytest.fixture
def quick(mount: Mount, time: Elapsing, api: ApiServer) -> FileSource:
    """Wait a minute for API servers, not ten."""
    return quick_source(mount, time, api)


def quick_source(mount: Mount, time: Elapsing, api: ApiServer) -> FileSource:
    provided = Provided(Client(api), mount.path("ca.crt"), NAME, QUICK, time.clock)
    return source_of(mount, time, provided)


def test_a_certificate_of_a_new_ca_waits_until_that_is_known(
    quick: FileSource, mount: Mount, time: Elapsing, api: ApiServer
) -> None:
    quick.step()
    new_ca = make_ca()
    new = make_files(new_ca)
    mount.update(new)
    quick.step()
    assert api.bundles() == [(new_ca.certificate, CA.certificate)] * 3
    assert served(quick) == FILES["tls.crt"]
    assert quick.status().message == "a new CA is not known to every API server yet"

    run(quick, time, 70)
    assert served(quick) == new["tls.crt"]
    assert quick.status().message == ""


def test_a_ca_that_left_the_file_leaves_the_bundles_when_what_is_served_needs_it_no_more(
    quick: FileSource, mount: Mount, time: Elapsing, api: ApiServer
) -> None:
    quick.step()
    mount.update({**FILES, "ca.crt": NEW["ca.crt"]})
    run(quick, time, 200)
    assert api.bundles() == [(NEW_CA.certificate, CA.certificate)] * 3, "it is needed"
    mount.update(NEW)
    run(quick, time, 50)
    assert api.bundles() == [(NEW_CA.certificate, CA.certificate)] * 3
    run(quick, time, 30)
    assert api.bundles() == [(NEW_CA.certificate,)] * 3
    assert quick.status().message == ""


def test_a_ca_that_others_put_back_is_theirs(
    quick: FileSource, mount: Mount, time: Elapsing, api: ApiServer
) -> None:
    quick.step()
    mount.update(NEW)
    run(quick, time, 150)
    assert api.bundles() == [(NEW_CA.certificate,)] * 3
    api.damage(TARGETS[0], 0, encode_pem([NEW_CA.certificate, CA.certificate]))
    run(quick, time, 200)
    assert CA.certificate in api.bundles()[0]


def test_a_ca_that_comes_back_into_the_file_stays(
    quick: FileSource, mount: Mount, time: Elapsing, api: ApiServer
) -> None:
    mount.update(BOTH)
    quick.step()
    mount.update(FILES)
    run(quick, time, 50)
    mount.update(BOTH)
    run(quick, time, 200)
    assert all(NEW_CA.certificate in view for view in api.bundles())


def test_what_this_process_never_saw_in_the_file_stays_in_the_bundles(
    quick: FileSource, time: Elapsing, api: ApiServer
) -> None:
    api.damage(TARGETS[0], 0, NEW_CA.certificate.pem)
    run(quick, time, 200)
    assert NEW_CA.certificate in api.bundles()[0]


@pytest.mark.parametrize("behind", [0, 40])
def test_all_three_files_may_be_replaced_at_once_and_no_replica_is_lost_by_it(
    tmp_path: Path, time: Elapsing, api: ApiServer, behind: int
) -> None:
    """The second replica's node hears of the new Secret so many seconds later."""
    mounts = [Mount(tmp_path / name, FILES) for name in ("a", "b")]
    sources = [quick_source(mount, time, api) for mount in mounts]

    def both(seconds: float) -> None:
        until = time.seconds + seconds
        while time.seconds < until:
            time.seconds += 10
            for source in sources:
                source.step()
                pair = source.current()
                assert pair is not None
                for view in set(api.bundles()) if source.status().ready else ():
                    assert handshake.verify(pair, encode_pem(view), NAME) is None

    both(70)
    assert all(source.status().ready for source in sources)
    mounts[0].update(NEW)
    both(behind)
    mounts[1].update(NEW)
    both(120)
    assert [served(source) for source in sources] == [NEW["tls.crt"]] * 2
    both(behind + 30)
    assert api.bundles() == [(NEW_CA.certificate,)] * 3
    assert [source.status().message for source in sources] == ["", ""]


def test_what_nobody_foresaw_is_told_and_files_are_served_on(
    quick: FileSource, mount: Mount, time: Elapsing, api: ApiServer
) -> None:
    run(quick, time, 60)
    assert quick.status().published
    del api.configurations[TARGETS[0]]["metadata"]
    api.configurations[TARGETS[0]]["webhooks"] = [{"clientConfig": {"caBundle": ""}}]
    new = make_files(CA)
    mount.update(new)
    quick.step()
    status = quick.status()
    assert served(quick) == new["tls.crt"]
    assert (status.ready, status.message) == (True, "unexpected KeyError: 'metadata'")
