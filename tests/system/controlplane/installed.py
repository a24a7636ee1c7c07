"""A release of the chart that Helm installs into the control plane, unchanged."""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from tempfile import mkdtemp

import yaml

from tests.system.chart.rendering import CHART
from tests.system.controlplane import wheels
from tests.system.controlplane.api import Json
from tests.system.controlplane.cluster import ControlPlane


class Installed:
    """A release of the chart with its values, in an existing namespace."""

    def __init__(self, plane: ControlPlane, name: str, namespace: str, values: Json) -> None:
        self.plane, self.name, self.namespace = plane, name, namespace
        self.values = values
        self.folder = Path(mkdtemp(prefix=f"{name}-", dir=plane.folder))
        self.objects: list[Json] = []
        """The objects of the last revision."""
        self._kubeconfig = plane.kubeconfig("helm", plane.admin_token)

    def install(self, chart: Path = CHART, *, major: int = 4) -> None:
        self._apply("install", self.name, chart, *self._given(), major=major)

    def upgrade(self, chart: Path = CHART, *, major: int = 4) -> None:
        self._apply("upgrade", self.name, chart, *self._given(), major=major)

    def rollback(self, *, major: int = 4) -> None:
        """Roll back to the previous revision."""
        self._apply("rollback", self.name, major=major)

    def uninstall(self, *, major: int = 4) -> None:
        self._helm("uninstall", self.name, "--ignore-not-found", major=major)

    def one(self, kind: str, name: str = "") -> Json:
        """Return the object of a kind; by its name if there are several."""
        (found,) = (
            each
            for each in self.objects
            if each["kind"] == kind and name in ("", each["metadata"]["name"])
        )
        return found

    @property
    def account(self) -> str:
        """The name of the ServiceAccount that the pods run as."""
        account: str = self.pod["serviceAccountName"]
        return account

    @property
    def configuration(self) -> str:
        """The name of the webhook configurations."""
        name: str = self.one("MutatingWebhookConfiguration")["metadata"]["name"]
        return name

    @property
    def pod(self) -> Json:
        """The spec of the Deployment's pods."""
        found: Json = self.one("Deployment")["spec"]["template"]["spec"]
        return found

    @property
    def container(self) -> Json:
        (found,) = self.pod["containers"]
        assert isinstance(found, dict)
        return found

    @property
    def address(self) -> str:
        """The ClusterIP of the Service."""
        service = self.one("Service")["metadata"]["name"]
        address: str = self.plane.admin.get("Service", service, self.namespace)["spec"]["clusterIP"]
        return address

    def _apply(self, *arguments: str | Path, major: int) -> None:
        self._helm(*arguments, major=major)
        manifest = self._helm("get", "manifest", self.name, major=major)
        self.objects = [found for found in yaml.safe_load_all(manifest) if found]

    def _given(self) -> Sequence[str | Path]:
        path = self.folder / "values.yaml"
        path.write_text(yaml.safe_dump(self.values), encoding="utf-8")
        return ("--values", path)

    def _helm(self, *arguments: str | Path, major: int) -> str:
        done = subprocess.run(
            [
                wheels.helm(major),
                *arguments,
                f"--namespace={self.namespace}",
                f"--kubeconfig={self._kubeconfig}",
            ],
            env={"HOME": str(self.folder)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout
