"""A release of the chart that Helm itself puts into the cluster, with nothing changed."""

import functools
import subprocess
from collections.abc import Sequence
from pathlib import Path
from tempfile import mkdtemp

import yaml

from tests.chart.rendering import CHART
from tests.controlplane import wheels
from tests.controlplane.api import Json
from tests.controlplane.cluster import ControlPlane


class Installed:
    """One release in a namespace of its own.

    `values` are the chart's; whatever else is said is about where and by which Helm.
    """

    def __init__(self, plane: ControlPlane, name: str, namespace: str, values: Json) -> None:
        self.plane, self.name, self.namespace = plane, name, namespace
        self.values = values
        self.folder = Path(mkdtemp(prefix=f"{name}-", dir=plane.folder))
        self._kubeconfig = plane.kubeconfig("helm", plane.admin_token)

    def install(self, chart: Path = CHART, *, major: int = 4) -> None:
        """Install the release into its namespace, which is there."""
        self._helm("install", self.name, chart, *self._given(), major=major)

    def upgrade(self, chart: Path = CHART, *, major: int = 4) -> None:
        self._helm("upgrade", self.name, chart, *self._given(), major=major)

    def uninstall(self, *, major: int = 4) -> None:
        self._helm("uninstall", self.name, "--ignore-not-found", major=major)

    @property
    def objects(self) -> list[Json]:
        """What Helm says that it has applied last."""
        manifest = self._helm("get", "manifest", self.name)
        return [found for found in yaml.safe_load_all(manifest) if found]

    def one(self, kind: str) -> Json:
        """Return the one object of a kind, as it was applied."""
        (found,) = (each for each in self.objects if each["kind"] == kind)
        return found

    @functools.cached_property
    def account(self) -> str:
        """The name of the ServiceAccount that the pods run as."""
        account: str = self.one("Deployment")["spec"]["template"]["spec"]["serviceAccountName"]
        return account

    @functools.cached_property
    def configuration(self) -> str:
        """The name of the webhook configurations."""
        name: str = self.one("MutatingWebhookConfiguration")["metadata"]["name"]
        return name

    @functools.cached_property
    def container(self) -> Json:
        """What the Deployment runs."""
        (found,) = self.one("Deployment")["spec"]["template"]["spec"]["containers"]
        assert isinstance(found, dict)
        return found

    @functools.cached_property
    def address(self) -> str:
        """What the API server has given the Service."""
        service = self.one("Service")["metadata"]["name"]
        address: str = self.plane.admin.get("Service", service, self.namespace)["spec"]["clusterIP"]
        return address

    def _given(self) -> Sequence[str | Path]:
        path = self.folder / "values.yaml"
        path.write_text(yaml.safe_dump(self.values), encoding="utf-8")
        return ("--values", path)

    def _helm(self, *arguments: str | Path, major: int = 4) -> str:
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
