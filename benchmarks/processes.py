"""Processes of a measurement: webhook, servers to compare with, fake API server."""

import contextlib
import json
import os
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import disk_objects
from benchmarks.load import Target
from benchmarks.plan_objects import large_plans
from certs.serving.local_ca import LOCAL_NAMES, create_key_pair
from tests.support.fake_api import run_fake_api

ROOT = Path(__file__).parent.parent
PYTHON = (sys.executable, "-m")
SCRIPT = Path(sys.executable).with_name("convertor-webhook")
SERVER_CPU, CLIENT_CPU = 0, 1


class Certificate(NamedTuple):
    cert: Path
    key: Path
    trust: ssl.SSLContext
    """The context of clients, which trusts the CA."""


class Webhook(NamedTuple):
    """A running `convertor-webhook serve`."""

    target: Target
    status: str
    """URL of its probes and metrics."""

    def metric(self, name: str) -> float:
        lines = fetch(f"{self.status}/metrics").decode().splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(name))

    def resident(self) -> int:
        """Return the bytes of its private memory."""
        return private_bytes(self.target.pid)


def private_bytes(pid: int) -> int:
    """Return the bytes of the private memory of a process."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    fields = dict(line.split()[:2] for line in rollup.splitlines()[1:])
    return 1024 * sum(int(fields[f"Private_{kind}:"]) for kind in ("Clean", "Dirty"))


def certificate(directory: Path) -> Certificate:
    """Create the certificate of all servers of a run."""
    pair, ca = create_key_pair(LOCAL_NAMES)
    cert, key = directory / "tls.crt", directory / "tls.key"
    cert.write_bytes(pair.chain)
    key.write_bytes(pair.key)
    return Certificate(cert, key, ssl.create_default_context(cadata=ca.pem.decode()))


CPUS = os.sched_getaffinity(0)
"""The CPUs before anything was pinned."""


def unpin() -> None:
    """Let this process and its future children use all CPUs again."""
    os.sched_setaffinity(0, CPUS)


def pin(cpu: int, pid: int = 0) -> None:
    """Pin a process to a CPU, so that server and client do not compete."""
    if cpu in os.sched_getaffinity(0) | {SERVER_CPU, CLIENT_CPU} and (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(pid, {cpu})


@contextlib.contextmanager
def compared(kind: str, certificate: Certificate) -> Iterator[Target]:
    """Run a server that the webhook is compared with."""
    files = (certificate.cert, certificate.key)
    command = [*PYTHON, "benchmarks.servers", kind, *map(str, files)]
    with _running(command) as (process, _log):
        yield Target(_port(process), certificate.trust, process.pid)


@contextlib.contextmanager
def api_server(
    plans: int, kilobytes: int, directory: Path, *, disks: int = 0, bound_disks: int = 0
) -> Iterator["ApiServer"]:
    """Run the fake API server of the tests, on the CPU of the servers.

    It has a process of its own: in a thread it would slow down the client, and that only while
    the webhook is measured.
    """
    context = get_context("spawn")
    connection, remote = context.Pipe()
    objects = _Objects(plans, kilobytes, disks, bound_disks)
    process = context.Process(target=_serve_api, args=(remote, directory, objects))
    process.start()
    pin(SERVER_CPU, process.pid or 0)
    try:
        yield ApiServer(connection.recv(), connection)
    finally:
        process.terminate()
        process.join()


class ApiServer(NamedTuple):
    """A running fake API server."""

    kubeconfig: Path
    connection: Connection

    def count_reads(self) -> int:
        """Return the number of get and list requests so far."""
        self.connection.send("count")
        count: int = self.connection.recv()
        return count


class _Objects(NamedTuple):
    """The number of objects, and the size of a plan."""

    plans: int
    kilobytes: int
    disks: int
    bound_disks: int


def _serve_api(connection: Connection, directory: Path, objects: _Objects) -> None:
    with run_fake_api() as api:
        api.add(*large_plans(objects.plans, objects.kilobytes))
        api.add(*map(disk_objects.disk, range(objects.disks)))
        api.add(*disk_objects.bound_disks(objects.bound_disks))
        connection.send(api.write_kubeconfig(directory))
        while connection.recv():
            connection.send(len(api.filter_requests("get", "list")))


@contextlib.contextmanager
def webhook(certificate: Certificate, *source: str | Path) -> Iterator[Webhook]:
    """Run the webhook as in a cluster, with its log, and wait until it has read the plans."""
    flags = ["--tls-cert", str(certificate.cert), "--tls-key", str(certificate.key)]
    flags += ["--listen", "127.0.0.1:0", "--status-listen", "127.0.0.1:0"]
    with _running([SCRIPT, "serve", *source, *flags]) as (process, log):
        serving = _line(log, "serving")
        _line(log, "the plans have been read")
        port = int(serving["reviews"].rpartition(":")[2])
        yield Webhook(Target(port, certificate.trust, process.pid), serving["status"])


def fetch(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=60) as response:
        body: bytes = response.read()
        return body


@contextlib.contextmanager
def _running(
    command: Sequence[str | Path],
) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """Run a command on the CPU of the servers; yield the process and the file of its stderr."""
    with tempfile.NamedTemporaryFile(prefix="bench-", suffix=".log") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log)
        pin(SERVER_CPU, process.pid)
        try:
            yield process, Path(log.name)
        finally:
            process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()


def _port(process: subprocess.Popen[bytes]) -> int:
    assert process.stdout is not None
    return int(process.stdout.readline())


def _line(log: Path, message: str, seconds: float = 300) -> dict[str, Any]:
    """Return the log line with this message, when it is written."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for line in log.read_text().splitlines():
            if line.startswith("{") and json.loads(line)["message"] == message:
                found: dict[str, Any] = json.loads(line)
                return found
        time.sleep(0.1)
    raise RuntimeError(f"the webhook did not log {message!r}: {log.read_text()}")
