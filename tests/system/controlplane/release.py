"""A release of the chart whose pods are a process on this machine.

All other objects are applied as Helm renders them, and the process has a token of the chart's
ServiceAccount. The Service is an alias of the loopback interface, so the API server calls
`<service>.<namespace>.svc` and verifies that name, as in a cluster.
"""

import base64
import json
import ssl
import sys
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import jsonpatch
from prometheus_client.parser import text_string_to_metric_families

from certs.ca import pki
from tests.system.chart import rendering
from tests.system.controlplane.api import Api, Json, path
from tests.system.controlplane.cluster import DAY, ControlPlane
from tests.system.controlplane.process import Process, free_port, until
from tests.system.controlplane.programs import version

NAMESPACE = "convertor-webhook"
KUBERNETES = ".".join(version().removeprefix("v").split(".")[:2])
OPT_IN = "e2e"
"""Label of the namespaces that a release handles; its value is the name of the release."""

APPLIED = (
    "Namespace",
    "ServiceAccount",
    "Secret",
    "ConfigMap",
    "ClusterRole",
    "ClusterRoleBinding",
    "Role",
    "RoleBinding",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "MutatingWebhookConfiguration",
)


class Release:
    """A release of the chart, for the namespaces that are labelled with its name."""

    def __init__(
        self,
        plane: ControlPlane,
        name: str,
        values: Json | None = None,
        *,
        api_port: int = 0,
        files: Mapping[str, Path] | None = None,
    ) -> None:
        """Render the chart; `install` and `start` do the rest.

        Args:
            plane: the cluster.
            name: the name of the release.
            values: values of the chart that override its defaults.
            api_port: the port of a proxy to the API server, if there is one.
            files: files for flags, which a cluster would mount.

        """
        self.plane, self.name = plane, name
        self.folder = plane.folder / name
        self.folder.mkdir()
        self.port, self.status_port = free_port(), free_port()
        self.values = _merged({"webhook": {"namespaceSelector": _selector(name)}}, values or {})
        self.account: str = self.one("ServiceAccount")["metadata"]["name"]
        self.process = Process(name, self._command(api_port, files or {}), self.folder)
        plane.processes.append(self.process)
        self._http = httpx.Client(trust_env=False, verify=self._trust(), timeout=10)

    @property
    def objects(self) -> list[Json]:
        """The rendered objects."""
        return rendering.objects(
            self.values, kubernetes=KUBERNETES, release=self.name, namespace=NAMESPACE
        )

    def one(self, kind: str) -> Json:
        """Return the only object of a kind."""
        (found,) = (each for each in self.objects if each["kind"] == kind)
        return found

    @property
    def service(self) -> Json:
        """The Service in the webhook configuration."""
        found: Json = self.one("MutatingWebhookConfiguration")["webhooks"][0]["clientConfig"]
        service: Json = found["service"]
        return service

    def install(self) -> None:
        """Apply the rendered objects."""
        api = self.plane.admin
        api.ensure({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        api.ensure(self._service())
        for body in self.objects:
            if body["kind"] in APPLIED:
                api.ensure(self._reachable(body))

    def uninstall(self) -> None:
        """Kill the process and delete the applied objects."""
        self.kill()
        for body in self.objects:
            if body["kind"] in APPLIED:
                metadata = body["metadata"]
                self.plane.admin.delete(
                    body["kind"], metadata["name"], metadata.get("namespace", "")
                )

    def start(self) -> None:
        """Start the process with the ServiceAccount's token, and return when it is ready."""
        self.renew_token()
        self.process.start({"PATH": "/nonexistent", "HOME": str(self.folder)})
        self.process.wait_for("readyz", self.ready)

    def kill(self) -> None:
        """Kill the process, without a drain."""
        self.process.kill()
        self._http.close()

    def renew_token(self) -> None:
        """Write a new token of the ServiceAccount into the process's token file."""
        token = self.plane.admin.token(self.account, NAMESPACE)
        (self.folder / "token").write_text(token, encoding="utf-8")

    def list_status(self, kind: str, namespace: str = "") -> int:
        """Return the HTTP status of a list request with the process's token."""
        token = (self.folder / "token").read_text(encoding="utf-8")
        with closing(Api(self.plane.url, self.plane.ca, token)) as own:
            return own.send("GET", path(kind, namespace), limit=1).status_code

    def ready(self) -> bool:
        with suppress(httpx.TransportError):
            return self._http.get(f"http://127.0.0.1:{self.status_port}/readyz").is_success
        return False

    def status(self) -> Json:
        """Return the body of /readyz, ready or not."""
        body: Json = self._http.get(f"http://127.0.0.1:{self.status_port}/readyz").json()
        return body

    def metric(self, name: str, **labels: str) -> float:
        """Return the sum of a metric's samples with these labels."""
        text = self._http.get(f"http://127.0.0.1:{self.status_port}/metrics").text
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def review(self, pod: Json) -> Json:
        """Send the process the review of a pod, without the API server; return the response."""
        request = {
            "uid": "e2e",
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "operation": "CREATE",
            "namespace": pod["metadata"]["namespace"],
            "object": pod,
        }
        body = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
        response = self._http.post(
            f"https://127.0.0.1:{self.port}/mutate?timeout=3s", content=json.dumps(body)
        )
        response.raise_for_status()
        review_response: Json = response.json()["response"]
        return review_response

    def reviewed(self, pod: Json) -> Json:
        """Return a pod with the patch of its review."""
        patch = base64.b64decode(self.review(pod).get("patch", "W10="))
        placed: Json = jsonpatch.apply_patch(pod, json.loads(patch))
        return placed

    def wait(self, what: str, found: Callable[[], Any], *, seconds: float = 60) -> Any:
        """Wait as `until`; the error has the body of /readyz."""
        try:
            return until(what, found, seconds=seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}; /readyz of {self.name}: {self.status()}") from None

    def log_lines(self) -> list[Json]:
        """Return the JSON lines of the process's log."""
        lines = self.process.log.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def _command(self, api_port: int, files: Mapping[str, Path]) -> list[str | Path]:
        """Return the container's arguments, with local addresses and files."""
        kubeconfig = self.plane.kubeconfig(self.name, self.folder / "token", port=api_port)
        config = self.folder / "config.yaml"
        config.write_text(self.one("ConfigMap")["data"]["config.yaml"], encoding="utf-8")
        here = {
            "--listen": f"127.0.0.1:{self.port}",
            "--status-listen": f"127.0.0.1:{self.status_port}",
            "--config": config,
            **files,
        }
        (container,) = self.one("Deployment")["spec"]["template"]["spec"]["containers"]
        flags = [arg.partition("=") for arg in container["args"] if not arg.startswith("--certs")]
        return [
            Path(sys.executable).with_name("convertor-webhook"),
            *(flag + equals + str(here.get(flag, value)) for flag, equals, value in flags),
            f"--kubeconfig={kubeconfig}",
            f"--tls-cert={self.folder / 'tls.crt'}",
            f"--tls-key={self.folder / 'tls.key'}",
        ]

    def _trust(self) -> ssl.SSLContext:
        """Create the serving certificate; return a context that trusts its CA."""
        now = datetime.now(UTC)
        ca = pki.make_ca(now, DAY, backdate=DAY)
        names = [f"{self.service['name']}.{NAMESPACE}.svc", "127.0.0.1"]
        leaf, key = pki.sign_leaf(ca, names, now, DAY, backdate=DAY)
        (self.folder / "ca.crt").write_bytes(ca.certificate.pem)
        (self.folder / "tls.crt").write_bytes(leaf.pem)
        (self.folder / "tls.key").write_bytes(key)
        (self.folder / "tls.key").chmod(0o600)
        return ssl.create_default_context(cafile=self.folder / "ca.crt")

    def _service(self) -> Json:
        return {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": self.service["name"], "namespace": NAMESPACE},
            "spec": {"type": "ExternalName", "externalName": "localhost"},
        }

    def _reachable(self, body: Json) -> Json:
        """Set the CA and the port of the process in the webhooks of a configuration."""
        for webhook in body.get("webhooks", ()):
            bundle = base64.b64encode((self.folder / "ca.crt").read_bytes()).decode()
            webhook["clientConfig"]["caBundle"] = bundle
            webhook["clientConfig"]["service"]["port"] = self.port
        return body


def _selector(name: str) -> Json:
    return {"matchLabels": {OPT_IN: name}}


def _merged(base: Json, over: Json) -> Json:
    """Merge two nested objects; `over` has precedence."""
    both = {
        key: _merged(base[key], over[key])
        for key in base.keys() & over.keys()
        if isinstance(base[key], dict) and isinstance(over[key], dict)
    }
    return base | over | both
