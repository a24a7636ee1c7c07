"""Builds and runs the image without a container engine: buildah, on a base from debootstrap.

Base and layers are kept in the user's cache. The image's command runs with its environment, and
with a read-only root file system as in Kubernetes.
"""

import contextlib
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.support.paths import ROOT
from tests.system.controlplane.wheels import CACHE

Json = dict[str, Any]

CONTEXT = ROOT
BASE, IMAGE = "localhost/python:3.13-slim-trixie", "localhost/convertor-webhook:test"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
STORE = CACHE / "image"

IN_NAMESPACE = """
set -e
mount --bind "$1" "$1"
mount --rbind /dev "$1/dev"
mount --rbind /proc "$1/proc"
mount --bind "$2" "$1/mnt"
mount -o remount,bind,ro "$1"
cd "$1"
root=$1; user=$3; shift 3
exec chroot --userspec="$user" --groups= "$root" env -i "$@"
"""


def build() -> None:
    """Build the image, and the base if it does not exist."""
    STORE.mkdir(parents=True, exist_ok=True)
    present = subprocess.run(_buildah("images", "--quiet", BASE), check=False, capture_output=True)
    if present.returncode:
        _build_base()
    with tempfile.TemporaryDirectory(dir=STORE) as scratch:
        # pip uses the CAs of this machine: its index may be behind a proxy.
        config = Path(scratch) / "pip.conf"
        config.write_text(f"[global]\ncert = {CERTIFICATES}\n", encoding="utf-8")
        mounts = [f"{CERTIFICATES}:{CERTIFICATES}:ro", f"{config}:/etc/pip.conf:ro"]
        _run(
            *_buildah("build", "--isolation=chroot", "--network=host"),
            *(f"--volume={mount}" for mount in mounts),
            *(f"--build-arg=BASE={BASE}", "--build-arg=VERSION=0.1.0", f"--tag={IMAGE}"),
            str(CONTEXT),
        )
    # With this storage each image is a full copy: keep only the base and the newest.
    _run(*_buildah("rmi", "--prune"))


def config() -> Json:
    """Return the image's configuration: user, environment, labels, command."""
    found = json.loads(_run(*_buildah("inspect", "--type=image", IMAGE)))
    config = found["OCIv1"]["config"]
    assert isinstance(config, dict)
    return config


@contextlib.contextmanager
def mounted() -> Iterator[Path]:
    """Create and mount a container of the image; remove it at the end."""
    container = _run(*_buildah("from", "--pull-never", IMAGE)).strip()
    try:
        yield Path(_run(*_buildah("mount", container)).strip())
    finally:
        _run(*_buildah("rm", container))


def command(root: Path, shared: Path, *arguments: str, user: str) -> list[str]:
    """Return the command that runs the entry point with `shared` as /mnt, in the host's network."""
    image = config()
    inside = ["sh", "-c", IN_NAMESPACE, "sh", str(root), str(shared), user, *image["Env"]]
    return ["unshare", "--mount", *inside, *(arguments or image["Entrypoint"] + image["Cmd"])]


def _build_base() -> None:
    with tempfile.TemporaryDirectory(dir=STORE) as scratch:
        root = Path(scratch) / "root"
        packages = "--include=ca-certificates,python3,python3-venv"
        _run("debootstrap", "--variant=minbase", packages, "trixie", str(root))
        _run("chroot", str(root), "apt-get", "clean")
        _run("tar", "--directory", str(root), "--create", f"--file={scratch}/root.tar", ".")
        _run("rm", "--recursive", str(root))
        (Path(scratch) / "Dockerfile").write_text(
            "FROM scratch\nADD root.tar /\nENV PATH=/usr/sbin:/usr/bin:/sbin:/bin\n",
            encoding="utf-8",
        )
        _run(*_buildah("build", "--isolation=chroot", f"--tag={BASE}", scratch))


def _buildah(*arguments: str) -> list[str]:
    store = [f"--root={STORE}/store", f"--runroot={STORE}/run", "--storage-driver=vfs"]
    return ["buildah", *store, *arguments]


def _run(*line: str) -> str:
    done = subprocess.run(line, capture_output=True, text=True, check=False, env=os.environ)
    assert done.returncode == 0, f"{' '.join(line)}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout
