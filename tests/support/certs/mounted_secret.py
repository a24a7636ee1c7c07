"""Certificates in files, mounted as the kubelet mounts a Secret."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from certs.ca import pki
from certs.ca.certificate import Authority

NAME = "convertor-webhook.migration.svc"
NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)


def make_ca() -> Authority:
    return pki.make_ca(NOW, 30 * DAY, backdate=DAY)


def make_files(
    ca: Authority,
    name: str = NAME,
    *,
    now: datetime = NOW,
    lifetime: timedelta = 7 * DAY,
) -> dict[str, bytes]:
    """Return the content of a Secret with a new certificate, under cert-manager's keys."""
    leaf, key = pki.sign_leaf(ca, [name], now, lifetime, backdate=DAY)
    return {"tls.crt": leaf.pem, "tls.key": key, "ca.crt": ca.certificate.pem}


class MountedSecret:
    """A directory of links into `..data`, a link that each update switches to a new version."""

    def __init__(self, directory: Path, files: Mapping[str, bytes]) -> None:
        self.directory = directory
        self._version = 0
        directory.mkdir(exist_ok=True)
        self.update(files)
        for name in files:
            (directory / name).symlink_to(Path("..data") / name)

    def update(self, files: Mapping[str, bytes]) -> None:
        self._version += 1
        version = self.directory / f"..version-{self._version}"
        version.mkdir()
        for name, content in files.items():
            (version / name).write_bytes(content)
        new = self.directory / "..data_tmp"
        new.symlink_to(version.name)
        new.replace(self.directory / "..data")

    def path(self, name: str) -> Path:
        return self.directory / name
