"""Package a wheel for krew: `python plugins/package.py WHEEL FOLDER`.

Writes an archive with the launcher, the unpacked wheel, its pinned requirements and the license,
and the manifest with the hash of the archive. The same input gives the same bytes.
"""

import argparse
import gzip
import hashlib
import io
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
ROOT = HERE.parent
LAUNCHER = "kubectl-convertor"
MANIFEST = "convertor.yaml"


class _File(NamedTuple):
    name: str
    content: bytes
    mode: int = 0o644


def main() -> int:
    """Write both files and print their paths."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("wheel", type=Path)
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    version = given.wheel.name.split("-")[1]
    archive = given.folder / f"{LAUNCHER}-v{version}.tar.gz"
    given.folder.mkdir(parents=True, exist_ok=True)
    archive.write_bytes(_packed(_files(given.wheel)))
    manifest = (HERE / MANIFEST).read_text(encoding="utf-8")
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    for key, value in {"version": version, "archive": archive.name, "sha256": digest}.items():
        manifest = manifest.replace(f"{{{key}}}", value)
    (given.folder / MANIFEST).write_text(manifest, encoding="utf-8")
    sys.stdout.write(f"{archive}\n{given.folder / MANIFEST}\n")
    return 0


def _files(wheel: Path) -> Iterator[_File]:
    yield _File(LAUNCHER, (HERE / LAUNCHER).read_bytes(), 0o755)
    yield _File("LICENSE", (ROOT / "LICENSE").read_bytes())
    yield _File("requirements.txt", (ROOT / "requirements" / "runtime.txt").read_bytes())
    with zipfile.ZipFile(wheel) as packed:
        for name in sorted(packed.namelist()):
            yield _File(f"convertor/{name}", packed.read(name))


def _packed(files: Iterator[_File]) -> bytes:
    """Return a tar.gz without times and owners."""
    content = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=content, mode="wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as tar,
    ):
        for file in files:
            entry = tarfile.TarInfo(file.name)
            entry.size, entry.mode = len(file.content), file.mode
            tar.addfile(entry, io.BytesIO(file.content))
    return content.getvalue()


if __name__ == "__main__":
    sys.exit(main())
