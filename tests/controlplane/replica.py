"""One of the webhook's pods: a process with the container's arguments and the pod's rights."""

import ssl
from collections.abc import Sequence
from pathlib import Path

from tests.controlplane.balancer import Endpoint
from tests.controlplane.installed import Installed
from tests.controlplane.process import Process
from tests.controlplane.server import PROGRAM, Server, arguments


class Replica(Server):
    """A pod of `release`, at a place of its own; it can be started again after it has ended."""

    def __init__(
        self, release: Installed, endpoint: Endpoint, program: Sequence[str | Path] = PROGRAM
    ) -> None:
        process = Process(endpoint.name, [], release.folder)
        # Nobody but the API server, which tests go past here, knows what CA it has.
        trust = ssl.create_default_context()
        trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
        super().__init__(process, endpoint.port, endpoint.status_port, trust)
        release.plane.processes.append(process)
        self.name = endpoint.name
        self._release, self._program = release, program
        self._folder = release.folder / endpoint.name
        self._folder.mkdir()
        name = f"{release.namespace}-{endpoint.name}"
        self.kubeconfig = release.plane.kubeconfig(name, self._folder / "token")
        """With the pod's rights."""

    def start(self) -> None:
        """Start the process as the ServiceAccount, with what the Deployment says now."""
        release = self._release
        self.process.command = [*self._program, *self._arguments()]
        token = release.plane.admin.token(release.account, release.namespace)
        (self._folder / "token").write_text(token, encoding="utf-8")
        self.process.start({"PATH": "/nonexistent", "HOME": str(self._folder)})

    def await_ready(self) -> None:
        self.wait(f"{self.name} to be ready", self.ready, seconds=30)

    def stop(self) -> int | None:
        """End the process as a kubelet does, and return its exit code."""
        return self.process.stop(seconds=self._release.pod["terminationGracePeriodSeconds"])

    def leaf(self) -> str:
        """Return the certificate that it serves, as PEM."""
        return ssl.get_server_certificate(("127.0.0.1", self.port), timeout=10)

    def _arguments(self) -> list[str]:
        release = self._release
        (volume,) = (each for each in release.pod["volumes"] if each["name"] == "defaults")
        mounted = release.one("ConfigMap", volume["configMap"]["name"])
        defaults = self._folder / "defaults.yaml"
        defaults.write_text(mounted["data"]["defaults.yaml"], encoding="utf-8")
        files = {"--defaults": defaults}
        return [
            *arguments(release.container, self.port, self.status_port, files),
            f"--kubeconfig={self.kubeconfig}",
        ]
