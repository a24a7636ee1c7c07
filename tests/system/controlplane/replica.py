"""A pod of the webhook: a process with the container's arguments and the pod's rights."""

import base64
import json
import ssl
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import TypeVar

import httpx
import jsonpatch
from prometheus_client.parser import text_string_to_metric_families

from tests.system.controlplane.api import Json
from tests.system.controlplane.balancer import Endpoint
from tests.system.controlplane.installed import Installed
from tests.system.controlplane.process import Process

T = TypeVar("T")

PROGRAM = (Path(sys.executable).with_name("convertor-webhook"),)

GRACE_PERIOD_SECONDS = 40
"""The chart's terminationGracePeriodSeconds."""


class Replica:
    """A pod of `release` with its own ports; it can be restarted."""

    def __init__(
        self,
        release: Installed,
        endpoint: Endpoint,
        program: Sequence[str | Path] = PROGRAM,
    ) -> None:
        self.name = endpoint.name
        self._release, self._endpoint = release, endpoint
        self._folder = release.folder / endpoint.name
        self._folder.mkdir()
        self._program = program
        name = f"{release.namespace}-{endpoint.name}"
        self.kubeconfig = release.plane.kubeconfig(name, self._folder / "token")
        """A kubeconfig with the pod's rights."""
        self.process = Process(endpoint.name, [], release.folder)
        release.plane.processes.append(self.process)
        self._http = httpx.Client(
            base_url=f"http://127.0.0.1:{endpoint.status_port}", trust_env=False, timeout=10
        )

    def start(self) -> None:
        """Start the process with a token of the ServiceAccount and the Deployment's arguments."""
        self.process.command = [*self._program, *self._arguments()]
        self.mount()
        token = self._release.plane.admin.token(self._release.account, self._release.namespace)
        (self._folder / "token").write_text(token, encoding="utf-8")
        self.process.start({"PATH": "/nonexistent", "HOME": str(self._folder)})

    def mount(self) -> None:
        """Write the files of the pod's volumes, as a kubelet does after each change.

        The link `..data` is switched to a new directory, and the files are links through it.
        """
        for volume in self._release.pod["volumes"]:
            folder = self._folder / volume["name"]
            folder.mkdir(exist_ok=True)
            version = Path(mkdtemp(prefix="..", dir=folder))
            for name, content in self._read_volume(volume).items():
                (version / name).write_bytes(content)
                if not (folder / name).is_symlink():
                    (folder / name).symlink_to(Path("..data", name))
            (folder / "..next").symlink_to(version.name)
            (folder / "..next").rename(folder / "..data")

    def await_ready(self) -> None:
        try:
            self.process.wait_for("readyz", self.ready)
        except AssertionError as error:
            status = self.status() if self.process.running else ""
            raise AssertionError(f"{error}; /readyz: {status}") from None

    @property
    def port(self) -> int:
        return self._endpoint.port

    def stop(self) -> int | None:
        """Terminate the process as a kubelet does, and return its exit code."""
        return self.process.stop(seconds=GRACE_PERIOD_SECONDS)

    def close(self) -> None:
        """Kill the process, if it is running, and close the connections to it."""
        self.process.kill()
        self._http.close()

    def ready(self) -> bool:
        with suppress(httpx.TransportError):
            return self._http.get("/readyz").is_success
        return False

    def status(self) -> Json:
        """Return the body of /readyz, ready or not; empty if the process does not respond."""
        with suppress(httpx.TransportError):
            body: Json = self._http.get("/readyz").json()
            return body
        return {}

    def metric(self, name: str, **labels: str) -> float:
        """Return the sum of a metric's samples with these labels."""
        return sum(
            sample.value
            for family in text_string_to_metric_families(self._http.get("/metrics").text)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def review(self, pod: Json) -> Json:
        """Send it the review of a pod, without the Service, whatever its certificate."""
        request = {
            "uid": "e2e",
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "operation": "CREATE",
            "namespace": pod["metadata"]["namespace"],
            "object": pod,
        }
        body = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
        url = f"https://127.0.0.1:{self._endpoint.port}/mutate?timeout=3s"
        response = httpx.post(url, json=body, verify=False, trust_env=False)
        response.raise_for_status()
        review_response: Json = response.json()["response"]
        return review_response

    def reviewed(self, pod: Json) -> Json:
        """Return a pod with the patch of its review."""
        patch = base64.b64decode(self.review(pod).get("patch", "W10="))
        placed: Json = jsonpatch.apply_patch(pod, json.loads(patch))
        return placed

    def serving_certificate(self) -> str:
        """Return the certificate that it serves, as PEM."""
        return ssl.get_server_certificate(("127.0.0.1", self._endpoint.port), timeout=10)

    def log(self) -> list[Json]:
        """Return the JSON lines of its log since the first start."""
        lines = self.process.log.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def _arguments(self) -> list[str]:
        """Return the container's arguments, with local addresses and files."""
        release = self._release
        here = {
            "--listen": f"127.0.0.1:{self._endpoint.port}",
            "--status-listen": f"127.0.0.1:{self._endpoint.status_port}",
        }
        folders = {
            mount["mountPath"]: self._folder / mount["name"]
            for mount in release.container["volumeMounts"]
        }

        def local(value: str) -> str:
            for path, folder in folders.items():
                if value == path or value.startswith(f"{path}/"):
                    return f"{folder}{value.removeprefix(path)}"
            return value

        flags = (argument.partition("=") for argument in release.container["args"])
        return [
            *(flag + equals + here.get(flag, local(value)) for flag, equals, value in flags),
            f"--kubeconfig={self.kubeconfig}",
        ]

    def _read_volume(self, volume: Json) -> dict[str, bytes]:
        """Return the files of a ConfigMap or a Secret; those of the ServiceAccount are not used."""
        admin, namespace = self._release.plane.admin, self._release.namespace
        if "projected" in volume:
            return {}
        if "configMap" in volume:
            found = admin.get("ConfigMap", volume["configMap"]["name"], namespace)
            return {name: text.encode() for name, text in found["data"].items()}
        found = admin.get("Secret", volume["secret"]["secretName"], namespace)
        return {name: base64.b64decode(text) for name, text in found["data"].items()}
