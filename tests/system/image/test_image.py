"""The image runs as any user on a read-only file system, and has no superfluous files."""

import json
import os
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from certs.ca import pki
from tests.support.paths import DATA
from tests.system.chart import rendering
from tests.system.image import building

pytestmark = [pytest.mark.image, pytest.mark.timeout(600)]

ARBITRARY_USER = "1000660000:0"
"""A user without an entry in the image, in group 0, as OpenShift assigns it."""


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    building.build()
    with building.mounted() as path:
        yield path


def run(root: Path, shared: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    line = building.command(root, shared, *arguments, user=ARBITRARY_USER)
    return subprocess.run(line, capture_output=True, text=True, check=False)


def test_it_has_a_user_other_than_root_and_the_ports_and_command_of_the_server(root: Path) -> None:
    config = building.config()

    assert config["User"] == "1001:0"
    assert config["Entrypoint"] == ["convertor-webhook"]
    assert config["Cmd"] == ["serve"]
    assert {*config["ExposedPorts"]} == {"8443/tcp", "8080/tcp"}


def test_it_has_labels_and_a_license(root: Path) -> None:
    labels = building.config()["Labels"]

    assert labels["org.opencontainers.image.title"] == "convertor-webhook"
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert labels["org.opencontainers.image.version"] == "0.1.0"
    assert (root / "licenses" / "LICENSE").is_file()


@pytest.mark.parametrize("tool", ["pip", "pip3", "gcc", "cc", "c++", "ld", "make"])
def test_it_has_no_tool_to_build_or_install_software(root: Path, tmp_path: Path, tool: str) -> None:
    assert run(root, tmp_path, "sh", "-c", f"command -v {tool}").stdout == ""


@pytest.mark.parametrize("module", ["pip", "setuptools", "ensurepip", "hatchling", "pytest"])
def test_it_has_no_package_that_only_the_build_needs(
    root: Path, tmp_path: Path, module: str
) -> None:
    done = run(root, tmp_path, "python3", "-c", f"import {module}")

    assert f"No module named '{module}'" in done.stderr


def test_files_are_readable_and_not_writable_by_all_users(root: Path) -> None:
    for path in (root / "opt").rglob("*"):
        mode = path.lstat().st_mode
        assert path.is_symlink() or mode & 0o044 == 0o044, path
        assert path.is_symlink() or not mode & 0o022, path


def test_it_has_the_packages_and_no_other_sources(root: Path) -> None:
    packages = next((root / "opt/convertor-webhook/lib").glob("python3*/site-packages"))

    assert {"webhook", "certs"} <= {path.name for path in packages.iterdir()}
    assert not (root / "build").exists()
    assert not (packages / "tests").exists()


def test_both_commands_start(root: Path, tmp_path: Path) -> None:
    assert run(root, tmp_path, "convertor-webhook", "--version").stdout == "0.1.0\n"
    assert run(root, tmp_path, "kubectl-convertor", "--help").returncode == 0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


class Server(NamedTuple):
    """The image's server, for a plan in a file."""

    reviews: int
    """The port for reviews."""
    status: int
    """The port for probes and metrics."""
    ca: Path


@pytest.fixture
def server(root: Path, tmp_path: Path) -> Iterator[Server]:
    now, day = datetime.now(UTC), timedelta(days=1)
    ca = pki.make_ca(now, day, backdate=day)
    leaf, key = pki.sign_leaf(ca, ["localhost"], now, day, backdate=day)
    for name, content in (("tls.crt", leaf.pem), ("tls.key", key), ("ca.crt", ca.certificate.pem)):
        (tmp_path / name).write_bytes(content)
    (tmp_path / "plans").mkdir()
    (tmp_path / "plans" / "plan.json").write_bytes((DATA / "plan-v2.12.json").read_bytes())
    os.chmod(tmp_path, 0o755)  # noqa: PTH101 - pytest creates it for the present user only
    reviews, status = free_port(), free_port()
    process = subprocess.Popen(
        building.command(
            root,
            tmp_path,
            *("convertor-webhook", "serve", "--plans=/mnt/plans", "--tls-dir=/mnt"),
            f"--listen=127.0.0.1:{reviews}",
            f"--status-listen=127.0.0.1:{status}",
            user=ARBITRARY_USER,
        )
    )
    try:
        yield Server(reviews, status, tmp_path / "ca.crt")
        process.send_signal(signal.SIGTERM)
        assert process.wait(40) == 0
    finally:
        process.kill()


def ready(port: int) -> bool:
    """Return True when it is ready, False after half a minute."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/readyz").is_success:
                return True
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    return False


def test_it_places_a_pod_as_an_arbitrary_user_with_a_read_only_file_system(
    server: Server,
) -> None:
    assert ready(server.status)

    pod = json.loads((DATA / "pods" / "v2.12-vsphere-with-settings.json").read_text())
    request: dict[str, Any] = {
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "operation": "CREATE",
        "namespace": "target",
        "object": pod,
    }
    response = httpx.post(
        f"https://localhost:{server.reviews}/mutate",
        json={"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request},
        verify=ssl.create_default_context(cafile=str(server.ca)),
    ).json()["response"]

    assert (response["uid"], response["allowed"]) == (request["uid"], True)
    assert response["patchType"] == "JSONPatch"


def test_the_test_of_the_chart_passes(root: Path, server: Server, tmp_path: Path) -> None:
    assert ready(server.status)
    (container,) = rendering.one("Pod")["spec"]["containers"]
    script = container["args"][0]
    for original, local in (
        ("convertor-webhook.migration.svc", "localhost"),
        (":8080", f":{server.status}"),
        ("(service, 443)", f"(service, {server.reviews})"),
    ):
        assert original in script
        script = script.replace(original, local)

    done = run(root, tmp_path, *container["command"], script)

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("200 ")
    assert done.stdout.endswith("TLSv1.3\n")
