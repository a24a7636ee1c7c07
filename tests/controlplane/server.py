"""A `convertor-webhook serve` that a test runs, asked at its own ports."""

import base64
import json
import ssl
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import jsonpatch
from prometheus_client.parser import text_string_to_metric_families

from tests.controlplane.api import Json
from tests.controlplane.process import Process, until

PROGRAM = (Path(sys.executable).with_name("convertor-webhook"),)


class Server:
    """A process with the container's arguments; whoever starts it has its rights ready."""

    def __init__(
        self, process: Process, port: int, status_port: int, trust: ssl.SSLContext
    ) -> None:
        """Ask `process` at these ports of the loopback interface; reviews go over TLS."""
        self.process = process
        self.port, self.status_port = port, status_port
        self._http = httpx.Client(trust_env=False, verify=trust, timeout=10)

    def kill(self) -> None:
        """End the process, without the time that it takes to lose no review, for good."""
        self.process.kill()
        self._http.close()

    def ready(self) -> bool:
        with suppress(httpx.TransportError):
            return self._status("readyz").is_success
        return False

    def status(self) -> Json:
        """Return what /readyz says, ready or not; nothing where nobody answers."""
        with suppress(httpx.TransportError):
            body: Json = self._status("readyz").json()
            return body
        return {}

    def metric(self, name: str, **labels: str) -> float:
        """Return the sum of a metric's samples that have these labels."""
        return sum(
            sample.value
            for family in text_string_to_metric_families(self._status("metrics").text)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def review(self, pod: Json) -> Json:
        """Ask about a pod, past the API server; return the response."""
        request = {
            "uid": "e2e",
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "operation": "CREATE",
            "namespace": pod["metadata"]["namespace"],
            "object": pod,
        }
        body = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
        url = f"https://127.0.0.1:{self.port}/mutate?timeout=3s"
        # The connection is not kept: one that nobody reads from holds up the server's end.
        headers = {"Connection": "close"}
        answer = self._http.post(url, content=json.dumps(body), headers=headers)
        answer.raise_for_status()
        response: Json = answer.json()["response"]
        return response

    def reviewed(self, pod: Json) -> Json:
        """Return a pod as the answer leaves it."""
        patch = base64.b64decode(self.review(pod).get("patch", "W10="))
        placed: Json = jsonpatch.apply_patch(pod, json.loads(patch))
        return placed

    def wait(self, what: str, found: Callable[[], Any], *, seconds: float = 20) -> Any:
        """Wait as `until`; the message has what /readyz says."""
        try:
            return until(what, found, seconds=seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}; {self.process.name} says {self.status()}") from None

    def log_lines(self) -> list[Json]:
        """Return what the process has logged since it was first started."""
        lines = self.process.log.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def _status(self, path: str) -> httpx.Response:
        return self._http.get(f"http://127.0.0.1:{self.status_port}/{path}")


def arguments(
    container: Json, port: int, status_port: int, files: Mapping[str, str | Path]
) -> list[str]:
    """Return a container's own arguments, with this machine's ports and files."""
    here = {
        "--listen": f"127.0.0.1:{port}",
        "--status-listen": f"127.0.0.1:{status_port}",
        **files,
    }
    flags = (argument.partition("=") for argument in container["args"])
    return [flag + equals + str(here.get(flag, value)) for flag, equals, value in flags]
