"""A real control plane on the loopback interface: etcd, kube-apiserver and kube-scheduler.

A node is an object that a test creates, and a pod is placed when the scheduler has bound it: there
is no kubelet. kube-controller-manager runs on request, with the controllers in `CONTROLLERS`;
without it volumes are not bound, and pods neither evicted nor collected.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import randbelow, token_hex
from typing import Any

import httpx
import yaml

from certs.ca import pki
from tests.system.controlplane.api import Api
from tests.system.controlplane.process import Process, free_port, until
from tests.system.controlplane.programs import program

DAY = timedelta(days=1)

AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        # From this level on the API server records the patches of webhooks.
        {"level": "Request", "verbs": ["create"], "resources": [{"resources": ["pods"]}]},
        {"level": "None"},
    ],
}

OFF = [
    "ServiceAccount",  # rejects pods in namespaces without a `default` account
    "TaintNodesByCondition",  # taints new nodes until a controller removes the taint
    "StorageObjectInUseProtection",  # adds a finalizer that a controller removes
]
"""Admission plugins that depend on controllers, which do not run here."""

CONTROLLERS = (
    "daemonset-controller",  # adds the index of pods by node that the eviction uses
    "disruption-controller",
    "endpointslice-controller",
    "ephemeral-volume-controller",
    "garbage-collector-controller",
    "persistentvolume-binder-controller",
    "pod-garbage-collector-controller",
    "replicaset-controller",
    "resourcequota-controller",  # fills the status, without which a quota is not enforced
    "taint-eviction-controller",
)
"""Of kube-controller-manager; that of nodes would taint nodes without a kubelet's heartbeat."""


class ControlPlane:
    """A cluster; its data is in `folder` and survives a restart."""

    def __init__(self, folder: Path, *, controllers: bool = False) -> None:
        """Write its configuration; `start` starts it.

        Args:
            folder: the folder for its data.
            controllers: run kube-controller-manager, too.

        """
        self.folder = folder
        self.audit_log = folder / "audit.log"
        self.ca = folder / "ca.crt"
        self._etcd_url = f"http://127.0.0.1:{free_port()}"
        self.port = free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        # Local addresses, so that a process can listen on the address of a Service.
        self._services = f"127.{randbelow(254) + 1}.{randbelow(254) + 1}.0/24"
        self.admin_token, self._scheduler_token = token_hex(), token_hex()
        self._manager_token = token_hex()
        self._write_credentials()
        self.etcd = Process("etcd", self._etcd_command(), folder)
        self.apiserver = Process("kube-apiserver", self._apiserver_command(), folder)
        self.scheduler = Process("kube-scheduler", self._scheduler_command(), folder)
        self.processes = [self.etcd, self.apiserver, self.scheduler]
        self._manager: Process | None = None
        if controllers:
            command = self._manager_command()
            self._manager = Process("kube-controller-manager", command, folder)
            self.processes.append(self._manager)
        self.admin = Api(self.url, self.ca, self.admin_token)

    def start(self) -> None:
        """Start all components and return when they are ready."""
        self.etcd.start()
        self.etcd.wait_for("health", lambda: _ok(f"{self._etcd_url}/health"))
        self.start_apiserver()
        self.scheduler.start()
        if self._manager is not None:
            self._manager.start()

    def start_apiserver(self) -> None:
        """Start or restart the API server, and return when it is ready."""
        self.apiserver.start()
        self.apiserver.wait_for("readyz", self._ready, seconds=60)

    @contextmanager
    def outage(self) -> Iterator[None]:
        """Stop the API server for a while.

        The scheduler is restarted as well: it would take half a minute to reconnect.
        """
        self.scheduler.stop()
        self.apiserver.stop()
        try:
            yield
        finally:
            self.start_apiserver()
            self.scheduler.start()

    def stop(self) -> None:
        self.admin.http.close()
        for process in reversed(self.processes):
            process.stop()

    def kubeconfig(self, name: str, token: str | Path, *, port: int = 0) -> Path:
        """Write a kubeconfig and return its path.

        Args:
            name: the name of the user and of the file.
            token: the token, or its file, which clients read again from time to time.
            port: the port of a proxy to the API server, if there is one.

        """
        user = {"tokenFile": str(token)} if isinstance(token, Path) else {"token": token}
        server = f"https://127.0.0.1:{port or self.port}"
        path = self.folder / f"{name}.kubeconfig"
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "tests",
            "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": name}}],
            "clusters": [
                {
                    "name": "tests",
                    "cluster": {"server": server, "certificate-authority": str(self.ca)},
                }
            ],
            "users": [{"name": name, "user": user}],
        }
        path.write_text(yaml.safe_dump(config), encoding="utf-8")
        path.chmod(0o600)
        return path

    def compact(self) -> None:
        """Compact etcd: a watch that resumes from an old resourceVersion gets `410 Gone`."""
        query = {"key": "AA==", "limit": "1"}  # any key; the response's header has the revision
        revision = _etcd(f"{self._etcd_url}/v3/kv/range", query)["header"]["revision"]
        _etcd(f"{self._etcd_url}/v3/kv/compaction", {"revision": revision, "physical": True})

    def audited(self, audit_id: str) -> dict[str, Any]:
        """Return the audit event of a request to create a pod, by its `Audit-Id`."""

        def event() -> dict[str, Any] | None:
            lines = self.audit_log.read_text(encoding="utf-8").splitlines()
            events = (json.loads(line) for line in lines if audit_id in line)
            return next(events, None)

        return until("the audit log", event)

    def _ready(self) -> bool:
        with suppress(httpx.TransportError):
            return self.admin.send("GET", "/readyz").is_success
        return False

    def _write_credentials(self) -> None:
        now = datetime.now(UTC)
        ca = pki.make_ca(now, DAY, backdate=DAY)
        self.ca.write_bytes(ca.certificate.pem)
        serving, key = pki.sign_leaf(ca, ["127.0.0.1"], now, DAY, backdate=DAY)
        accounts, accounts_key = pki.sign_leaf(ca, ["accounts"], now, DAY, backdate=DAY)
        for name, content in {
            "apiserver.crt": serving.pem,
            "apiserver.key": key,
            "accounts.crt": accounts.pem,
            "accounts.key": accounts_key,
            "audit-policy.yaml": yaml.safe_dump(AUDIT_POLICY).encode(),
            "tokens.csv": (
                f'{self.admin_token},admin,1,"system:masters"\n'
                f"{self._scheduler_token},system:kube-scheduler,2\n"
                f'{self._manager_token},system:kube-controller-manager,3,"system:masters"\n'
            ).encode(),
        }.items():
            (self.folder / name).write_bytes(content)
            (self.folder / name).chmod(0o600)

    def _etcd_command(self) -> list[str | Path]:
        peer = f"http://127.0.0.1:{free_port()}"
        return [
            program("etcd"),
            *("--data-dir", self.folder / "etcd"),
            *("--listen-client-urls", self._etcd_url, "--advertise-client-urls", self._etcd_url),
            *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer),
            *("--initial-cluster", f"default={peer}"),
            *("--logger", "zap", "--log-level", "warn"),
            *(
                "--quota-backend-bytes",
                str(8 << 30),
            ),  # the default is too small
        ]

    def _apiserver_command(self) -> list[str | Path]:
        flags = {
            "etcd-servers": self._etcd_url,
            "etcd-compaction-interval": "0",  # the tests compact
            "bind-address": "127.0.0.1",
            "secure-port": self.port,
            "tls-cert-file": self.folder / "apiserver.crt",
            "tls-private-key-file": self.folder / "apiserver.key",
            "authorization-mode": "RBAC",
            "token-auth-file": self.folder / "tokens.csv",
            "service-account-issuer": "https://kubernetes.default.svc",
            "service-account-key-file": self.folder / "accounts.crt",
            "service-account-signing-key-file": self.folder / "accounts.key",
            "service-cluster-ip-range": self._services,
            "enable-admission-plugins": "PodNodeSelector",
            "disable-admission-plugins": ",".join(OFF),
            "audit-policy-file": self.folder / "audit-policy.yaml",
            "audit-log-path": self.audit_log,
            "allow-privileged": "true",
            "profiling": "false",
        }
        return [program("kube-apiserver"), *(f"--{flag}={value}" for flag, value in flags.items())]

    def _scheduler_command(self) -> list[str | Path]:
        config = self.folder / "scheduler.yaml"
        kubeconfig = self.kubeconfig("kube-scheduler", self._scheduler_token)
        document = {
            "apiVersion": "kubescheduler.config.k8s.io/v1",
            "kind": "KubeSchedulerConfiguration",
            # The default of 50 requests per second would slow down the tests.
            "clientConnection": {"kubeconfig": str(kubeconfig), "qps": 1000, "burst": 1000},
            "leaderElection": {"leaderElect": False},
            "podInitialBackoffSeconds": 1,
            "podMaxBackoffSeconds": 1,
        }
        config.write_text(yaml.safe_dump(document), encoding="utf-8")
        return [
            program("kube-scheduler"),
            f"--config={config}",
            "--bind-address=127.0.0.1",
            f"--secure-port={free_port()}",
        ]

    def _manager_command(self) -> list[str | Path]:
        flags = {
            "kubeconfig": self.kubeconfig("kube-controller-manager", self._manager_token),
            "controllers": ",".join(CONTROLLERS),
            "leader-elect": "false",
            "bind-address": "127.0.0.1",
            "secure-port": free_port(),
            "kube-api-qps": 1000,
            "kube-api-burst": 1000,
            "pvclaimbinder-sync-period": "1s",
            "profiling": "false",
        }
        manager = program("kube-controller-manager")
        return [manager, *(f"--{flag}={value}" for flag, value in flags.items())]


def _ok(url: str) -> bool:
    with suppress(httpx.TransportError):
        return httpx.get(url, trust_env=False).is_success
    return False


def _etcd(url: str, body: dict[str, Any]) -> dict[str, Any]:
    response = httpx.post(url, json=body, trust_env=False)
    response.raise_for_status()
    found: dict[str, Any] = response.json()
    return found
