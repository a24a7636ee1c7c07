"""Build the control plane's programs that are missing.

`python -m tests.system.controlplane.build`

The first run compiles kube-apiserver, kube-controller-manager and kube-scheduler, which takes a
quarter of an hour on two cores; later runs only print the paths.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import click

from tests.system.controlplane.programs import (
    BUILT,
    HERE,
    PACKAGES,
    MissingProgram,
    NotThereYet,
    built,
    program,
    version,
)

NAMES = (*BUILT, *PACKAGES, "kubectl", "helm")


def main() -> int:
    try:
        for name in NAMES:
            click.echo(f"{name:24} {_ensured(name)}")
    except MissingProgram as error:
        click.echo(f"build: {error}", err=True)
        return 1
    except subprocess.CalledProcessError as error:
        command = " ".join(map(str, error.cmd))
        click.echo(f"build: exit code {error.returncode} from: {command}", err=True)
        return 1
    return 0


def _ensured(name: str) -> Path:
    try:
        return program(name)
    except NotThereYet:
        if name in BUILT:
            _build(name)
        elif name in PACKAGES and os.geteuid() == 0 and shutil.which("apt-get"):
            _install(PACKAGES[name])
        else:
            raise
        return program(name)


def _build(name: str) -> None:
    """Compile the version pinned in go.mod, and move the result into the cache atomically."""
    go = shutil.which("go")
    if go is None:
        raise MissingProgram(
            f"go is not on the PATH; it is needed once, to build {name}: install Go 1.26 or later "
            "from https://go.dev/dl, or set KUBEBUILDER_ASSETS to a folder that has it"
        )
    folder = built()
    click.echo(f"building {name} {version()}, once, into {folder}")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        subprocess.run(
            [
                *(go, "build", "-C", HERE, "-mod=readonly", "-trimpath", "-buildvcs=false"),
                *("-ldflags", _ldflags(), "-o", f"{scratch}/", f"k8s.io/kubernetes/cmd/{name}"),
            ],
            check=True,
            env=os.environ | {"CGO_ENABLED": "0"},
        )
        Path(scratch, name).replace(folder / name)


def _ldflags() -> str:
    """Return flags that set the version, which helm compares with a chart's kubeVersion."""
    major, minor, _ = version().removeprefix("v").split(".", 2)
    variables = {"gitVersion": version(), "gitMajor": major, "gitMinor": minor}
    package = "k8s.io/component-base/version"
    return " ".join(["-s -w", *(f"-X {package}.{key}={value}" for key, value in variables.items())])


def _install(package: str) -> None:
    apt = ["apt-get", "-qq", "-o", "Dpkg::Use-Pty=0"]
    subprocess.run([*apt, "update"], check=True)
    subprocess.run(
        [*apt, "install", "--no-install-recommends", "--yes", package],
        check=True,
        env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
    )


if __name__ == "__main__":
    sys.exit(main())
