"""A cluster with two zones, volumes, importers and kubelets, and the plans of its tests."""

import itertools
import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

from tests.support.paths import DATA
from tests.system.controlplane.api import Json, StatusError
from tests.system.controlplane.cluster import ControlPlane
from tests.system.controlplane.process import until
from tests.system.controlplane.release import OPT_IN
from tests.system.e2e.migration.cdi import Cdi
from tests.system.e2e.migration.kubelet import Kubelet
from tests.system.e2e.migration.loop import Loop
from tests.system.e2e.migration.printed import Versions
from tests.system.e2e.migration.provisioner import WAITS, Provisioner, storage_classes
from tests.system.e2e.migration.warm import Warm
from tests.system.e2e.preparation import add_namespace, use_plans_of
from tests.system.e2e.row_cluster import SETTLED, node, pod, settle
from tests.system.guide.forklift import Generation
from tests.system.guide.rows import PLAN_NAMESPACE, PREFIX, ROWS, Node

WITH, WITHOUT = "warm", "warm-unplaced"
"""Namespaces that VMs migrate into: with the webhook and without it."""

NEIGHBOURS = "neighbours"

CEPH = {"app": "ceph-osd"}
"""Labels of pods that run in zone b."""

ZONES = {
    "a1": Node(zone="a", cpu=64),
    "a2": Node(zone="a", cpu=64),
    "b1": Node(zone="b", cpu=16),
    "b2": Node(zone="b", cpu=16),
}
"""Without a rule every pod runs in zone a, whose nodes are larger and idle."""

_numbers = itertools.count(1)


class Cluster:
    """The control plane and the stand-ins."""

    def __init__(self, plane: ControlPlane) -> None:
        self.plane, self.api = plane, plane.admin
        self.loop = Loop(self.api)
        self.kubelet = Kubelet(self.api, self.loop)
        self.provisioner = Provisioner(self.api, self.loop)
        self.cdi = Cdi(self.api, self.loop)

    def furnish(self) -> None:
        """Create namespaces, CustomResourceDefinitions and StorageClasses."""
        for name in (WITH, PLAN_NAMESPACE):  # deep inspections are in the namespace of the Plan
            add_namespace(self.api, name, {OPT_IN: WITH})
        of_rows = {each.namespace for row in ROWS.values() for each in row.pods}
        for name in (WITHOUT, SETTLED, NEIGHBOURS, *sorted(of_rows)):
            add_namespace(self.api, name)
        for body in storage_classes():
            self.api.create(body)
        use_plans_of(self.api, Generation.V2_12)

    @contextmanager
    def nodes(
        self, nodes: Mapping[str, Node], *, used: Collection[str] = ("b",), pods: int = 110
    ) -> Iterator[None]:
        """Create nodes, each for this many pods; those in the zones `used` are half used."""
        for name, each in nodes.items():
            body = node(name, each)
            body["status"]["allocatable"] = body["status"]["allocatable"] | {"pods": str(pods)}
            self.api.create(body)
            if each.zone in used:
                self.api.create(pod(NEIGHBOURS, CEPH, node_name=name, cpu=each.cpu // 2))
        settle(self.api, binder=True)
        try:
            yield
        finally:
            if used:
                self.api.delete_all("Pod", NEIGHBOURS)
            for name in nodes:
                self.api.delete("Node", name)

    def plan(
        self,
        namespace: str,
        settings: dict[str, str] | None = None,
        plan_namespace: str = PLAN_NAMESPACE,
        **spec: object,
    ) -> Json:
        """Create a Plan with settings as annotations, and further fields of its spec."""
        body: Json = json.loads((DATA / "plan-v2.12.json").read_text(encoding="utf-8"))
        fields = {
            key: body["spec"][key] for key in ("map", "provider", "vms") if key in body["spec"]
        }
        return self.api.create(
            {
                "apiVersion": body["apiVersion"],
                "kind": "Plan",
                "metadata": {
                    "name": f"plan-{next(_numbers)}",
                    "namespace": plan_namespace,
                    "annotations": {
                        f"{PREFIX}/{key}": text for key, text in (settings or {}).items()
                    },
                },
                "spec": fields | {"warm": True, "targetNamespace": namespace} | spec,
            }
        )

    def change(self, plan: Json, settings: dict[str, str | None]) -> None:
        """Change settings of a Plan; None removes one."""
        annotations = {f"{PREFIX}/{key}": text for key, text in settings.items()}
        name = plan["metadata"]["name"]
        self.api.patch("Plan", name, {"metadata": {"annotations": annotations}}, PLAN_NAMESPACE)

    def migrate(
        self,
        plan: Json,
        versions: Versions,
        *,
        vms: int = 1,
        disks: int = 1,
        storage_class: str = WAITS,
    ) -> Warm:
        """Start the warm migration of VMs."""
        return Warm(
            self.api,
            self.cdi,
            plan,
            versions,
            vms=vms,
            disks=disks,
            storage_class=storage_class,
        )

    def events(self, plan: Json, reason: str) -> list[Json]:
        """Return the Events on a Plan that have this reason."""
        query = f"involvedObject.uid={plan['metadata']['uid']},reason={reason}"
        return self.api.list("Event", PLAN_NAMESPACE, fieldSelector=query)

    def zone(self, node_name: str) -> str:
        """Return the zone of a node."""
        labels: dict[str, str] = self.api.get("Node", node_name)["metadata"]["labels"]
        return labels["topology.kubernetes.io/zone"]

    def clean(self, *others: str) -> None:
        """Delete pods, volumes and Plans, also those in other namespaces; check the stand-ins."""
        self.cdi.forget()
        self.kubelet.holding = False
        self.provisioner.without_room.clear()
        for namespace in (WITH, WITHOUT, PLAN_NAMESPACE, *others):
            self.api.delete_all("Pod", namespace)
            for each in self.api.list("PersistentVolumeClaim", namespace):
                self._delete_pvc(each["metadata"])
        self.api.delete_all("PersistentVolume")
        self.api.delete_all("Plan", PLAN_NAMESPACE)
        until("all pods to be deleted", lambda: not self.api.list("Pod", WITH))
        self.loop.check()

    def _delete_pvc(self, metadata: Json) -> None:
        name, namespace = metadata["name"], metadata["namespace"]
        try:
            if metadata.get("finalizers"):
                body: Json = {"metadata": {"finalizers": None}}
                self.api.patch("PersistentVolumeClaim", name, body, namespace)
            self.api.delete("PersistentVolumeClaim", name, namespace)
        except StatusError as error:
            if error.reason != "NotFound":
                raise
