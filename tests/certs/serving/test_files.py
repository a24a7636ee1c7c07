from datetime import datetime, timedelta
from pathlib import Path

import pytest

from certs.ca.certificate import KeyPair, encode_pem
from certs.ca.durations import Durations
from certs.serving import handshake
from certs.serving.clock import Clock
from certs.serving.files import FileSource
from certs.serving.provided_ca import ProvidedCA
from tests.support.certs.der import encode_pem_block
from tests.support.certs.installation import TARGETS, FakeCluster, Installation, key_of
from tests.support.certs.mounted_secret import DAY, NAME, NOW, MountedSecret, make_ca, make_files
from tests.support.certs.simulation import SHORT_DURATIONS

CA = make_ca()
FILES = make_files(CA)


class ManualClock:
    """A clock that starts now and that the test moves."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.clock = Clock(wall=self.wall, monotonic=lambda: self.seconds)

    def wall(self) -> datetime:
        return NOW + timedelta(seconds=self.seconds)


@pytest.fixture
def time() -> ManualClock:
    return ManualClock()


@pytest.fixture
def mount(tmp_path: Path) -> MountedSecret:
    return MountedSecret(tmp_path, FILES)


def make_source(
    mount: MountedSecret, time: ManualClock, provided_ca: ProvidedCA | None = None
) -> FileSource:
    return FileSource(
        mount.path("tls.crt"),
        mount.path("tls.key"),
        name=NAME,
        provided_ca=provided_ca,
        clock=time.clock,
    )


def served_chain(source: FileSource) -> bytes:
    pair = source.current()
    return pair.chain if pair else b""


def test_a_key_pair_in_the_files_is_served_from_the_start(
    mount: MountedSecret, time: ManualClock
) -> None:
    source = make_source(mount, time)
    pairs: list[KeyPair] = []
    source.start(pairs.append)
    source.stop()
    assert [pair.chain for pair in pairs] == [FILES["tls.crt"]]
    status = source.status()
    assert (status.ready, status.published, status.changes) == (True, True, 1)
    assert (status.not_after, status.message) == (NOW + 7 * DAY, "")


def test_a_new_version_of_a_mounted_secret_is_served(
    mount: MountedSecret, time: ManualClock
) -> None:
    source = make_source(mount, time)
    source.step()
    new = make_files(CA)
    mount.update(new)
    assert source.step() == 10
    assert served_chain(source) == new["tls.crt"]
    assert source.status().changes == 2


def test_files_outside_a_mounted_secret_are_served(tmp_path: Path, time: ManualClock) -> None:
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    source = FileSource(tmp_path / "tls.crt", tmp_path / "tls.key", clock=time.clock)
    source.step()
    assert served_chain(source) == FILES["tls.crt"]


OTHER_KEY = {**FILES, "tls.key": make_files(CA)["tls.key"]}
EXPIRED = make_files(CA, now=NOW - 9 * DAY, lifetime=DAY)
NOT_YET_VALID = make_files(CA, now=NOW + 3 * DAY)
OTHER_NAME = make_files(CA, "other.svc")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (OTHER_KEY, "'{0}/tls.crt', '{0}/tls.key': the private key does not belong to the cert"),
        ({**FILES, "tls.crt": b""}, "'{0}/tls.crt', '{0}/tls.key': the certificate is not PEM"),
        ({"tls.crt": FILES["tls.crt"]}, "'{0}/tls.key': no such file or directory"),
        (OTHER_NAME, "'{0}/tls.crt', '{0}/tls.key': a handshake with the certificate fails: Hostn"),
        (EXPIRED, f"'{{0}}/tls.crt': expired at {(NOW - 8 * DAY).isoformat()}"),
        (NOT_YET_VALID, f"'{{0}}/tls.crt': not valid before {(NOW + 2 * DAY).isoformat()}"),
    ],
    ids=["another key", "no certificate", "no key", "another name", "expired", "not yet valid"],
)
def test_a_key_pair_that_cannot_be_served_is_reported_and_the_old_one_is_served(
    mount: MountedSecret, time: ManualClock, files: dict[str, bytes], message: str
) -> None:
    source = make_source(mount, time)
    source.step()
    mount.update(files)
    source.step()
    assert served_chain(source) == FILES["tls.crt"]
    assert source.status().message.startswith(message.format(mount.directory))
    assert source.status().ready

    mount.update(make_files(CA))
    source.step()
    assert source.status().message == ""


def test_an_expired_certificate_is_not_ready(mount: MountedSecret, time: ManualClock) -> None:
    source = make_source(mount, time)
    source.step()
    time.seconds = (8 * DAY).total_seconds()
    source.step()
    status = source.status()
    assert not status.ready
    assert status.message == f"'{mount.path('tls.crt')}': expired at {(NOW + 7 * DAY).isoformat()}"


def test_an_expired_certificate_is_served_if_there_is_no_other(
    tmp_path: Path, time: ManualClock
) -> None:
    source = make_source(MountedSecret(tmp_path, EXPIRED), time)
    source.step()
    assert served_chain(source) == EXPIRED["tls.crt"]
    assert not source.status().ready


@pytest.fixture
def installation() -> Installation:
    return Installation()


@pytest.fixture
def source(mount: MountedSecret, time: ManualClock, installation: Installation) -> FileSource:
    provided_ca = ProvidedCA(
        FakeCluster(installation), mount.path("ca.crt"), NAME, Durations(), time.clock
    )
    return make_source(mount, time, provided_ca)


def test_the_ca_beside_a_certificate_is_published(
    source: FileSource, time: ManualClock, installation: Installation
) -> None:
    source.step()
    assert installation.bundles() == [(CA.certificate,)] * 3
    assert (source.status().published, source.status().ready) == (True, False)
    assert source.status().message == "waiting until API servers know the CA"
    for _ in range(5):
        time.seconds += 1
        source.step()
    assert source.status().ready
    assert source.status().ca_not_after == CA.certificate.not_after


def test_a_ca_file_without_a_certificate_is_not_published(
    source: FileSource, mount: MountedSecret, installation: Installation
) -> None:
    mount.update({**FILES, "ca.crt": b"none"})
    source.step()
    assert installation.bundles() == [()] * 3
    assert source.status().message == (
        f"'{mount.path('ca.crt')}': no certificate, expected '-----BEGIN CERTIFICATE-----'"
    )


def test_a_ca_that_cannot_be_parsed_is_reported_and_the_others_are_published(
    source: FileSource, mount: MountedSecret, installation: Installation
) -> None:
    mount.update({**FILES, "ca.crt": encode_pem_block(b"?") + FILES["ca.crt"]})
    source.step()
    assert installation.bundles() == [(CA.certificate,)] * 3
    problem = f"'{mount.path('ca.crt')}': a certificate cannot be read: error parsing asn1 value: "
    assert source.status().message.startswith(problem)


def test_a_certificate_of_another_ca_than_the_published_one_is_never_ready(
    source: FileSource, mount: MountedSecret, time: ManualClock
) -> None:
    mount.update({**FILES, "ca.crt": make_ca().certificate.pem})
    for _ in range(9):
        time.seconds += 1
        source.step()
    assert (source.status().published, source.status().ready) == (False, False)
    assert source.status().message == (
        "API servers refuse the certificate: unable to get local issuer certificate"
    )


def run(source: FileSource, time: ManualClock, seconds: float) -> None:
    until = time.seconds + seconds
    while time.seconds < until:
        time.seconds += 10
        source.step()


NEW_CA = make_ca()
NEW = make_files(NEW_CA)
BOTH = {**FILES, "ca.crt": FILES["ca.crt"] + NEW["ca.crt"]}


@pytest.fixture
def quick(mount: MountedSecret, time: ManualClock, installation: Installation) -> FileSource:
    """Wait a minute for API servers, not ten."""
    return make_quick_source(mount, time, installation)


def make_quick_source(
    mount: MountedSecret, time: ManualClock, installation: Installation
) -> FileSource:
    provided_ca = ProvidedCA(
        FakeCluster(installation), mount.path("ca.crt"), NAME, SHORT_DURATIONS, time.clock
    )
    return make_source(mount, time, provided_ca)


def test_a_certificate_of_a_new_ca_is_served_once_api_servers_know_the_ca(
    quick: FileSource, mount: MountedSecret, time: ManualClock, installation: Installation
) -> None:
    quick.step()
    new_ca = make_ca()
    new = make_files(new_ca)
    mount.update(new)
    quick.step()
    assert installation.bundles() == [(new_ca.certificate, CA.certificate)] * 3
    assert served_chain(quick) == FILES["tls.crt"]
    assert quick.status().message == "a new CA is not known to every API server yet"

    run(quick, time, 70)
    assert served_chain(quick) == new["tls.crt"]
    assert quick.status().message == ""


def test_a_ca_removed_from_the_file_is_removed_from_the_bundles_once_it_is_unneeded(
    quick: FileSource, mount: MountedSecret, time: ManualClock, installation: Installation
) -> None:
    quick.step()
    mount.update({**FILES, "ca.crt": NEW["ca.crt"]})
    run(quick, time, 200)
    assert installation.bundles() == [(NEW_CA.certificate, CA.certificate)] * 3, (
        "the serving certificate needs it"
    )
    mount.update(NEW)
    run(quick, time, 50)
    assert installation.bundles() == [(NEW_CA.certificate, CA.certificate)] * 3
    run(quick, time, 30)
    assert installation.bundles() == [(NEW_CA.certificate,)] * 3
    assert quick.status().message == ""


def test_a_removed_ca_that_another_client_adds_again_is_kept(
    quick: FileSource, mount: MountedSecret, time: ManualClock, installation: Installation
) -> None:
    quick.step()
    mount.update(NEW)
    run(quick, time, 150)
    assert installation.bundles() == [(NEW_CA.certificate,)] * 3
    installation.damage(TARGETS[0], 0, encode_pem([NEW_CA.certificate, CA.certificate]))
    run(quick, time, 200)
    assert CA.certificate in installation.bundles()[0]


def test_a_ca_that_returns_to_the_file_is_kept(
    quick: FileSource, mount: MountedSecret, time: ManualClock, installation: Installation
) -> None:
    mount.update(BOTH)
    quick.step()
    mount.update(FILES)
    run(quick, time, 50)
    mount.update(BOTH)
    run(quick, time, 200)
    assert all(NEW_CA.certificate in bundle for bundle in installation.bundles())


def test_a_ca_that_was_never_in_the_file_is_kept_in_the_bundles(
    quick: FileSource, time: ManualClock, installation: Installation
) -> None:
    installation.damage(TARGETS[0], 0, NEW_CA.certificate.pem)
    run(quick, time, 200)
    assert NEW_CA.certificate in installation.bundles()[0]


@pytest.mark.parametrize("behind", [0, 40])
def test_all_three_files_can_be_replaced_at_once(
    tmp_path: Path, time: ManualClock, installation: Installation, behind: int
) -> None:
    """The second replica's node gets the new Secret so many seconds later."""
    mounts = [MountedSecret(tmp_path / name, FILES) for name in ("a", "b")]
    sources = [make_quick_source(mount, time, installation) for mount in mounts]

    def run_both(seconds: float) -> None:
        until = time.seconds + seconds
        while time.seconds < until:
            time.seconds += 10
            for source in sources:
                source.step()
                pair = source.current()
                assert pair is not None
                for bundle in set(installation.bundles()) if source.status().ready else ():
                    assert handshake.verify(pair, encode_pem(bundle), NAME) is None

    run_both(70)
    assert all(source.status().ready for source in sources)
    mounts[0].update(NEW)
    run_both(behind)
    mounts[1].update(NEW)
    run_both(120)
    assert [served_chain(source) for source in sources] == [NEW["tls.crt"]] * 2
    run_both(behind + 30)
    assert installation.bundles() == [(NEW_CA.certificate,)] * 3
    assert [source.status().message for source in sources] == ["", ""]


def test_an_unexpected_error_is_reported_and_the_files_are_still_served(
    quick: FileSource, mount: MountedSecret, time: ManualClock, installation: Installation
) -> None:
    run(quick, time, 60)
    assert quick.status().published
    installation.objects[key_of(TARGETS[0])] = {
        "webhooks": [{"name": "x", "clientConfig": {"caBundle": ""}}]
    }
    new = make_files(CA)
    mount.update(new)
    quick.step()
    status = quick.status()
    assert served_chain(quick) == new["tls.crt"]
    assert (status.ready, status.message) == (True, "unexpected KeyError: 'metadata'")
