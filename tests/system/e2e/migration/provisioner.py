"""Stand-in for an external provisioner whose volumes can be reached from one zone only.

kube-controller-manager hands a PVC over to it, and binds the PVC to the volume.
"""

import itertools
from contextlib import suppress

from tests.system.controlplane.api import Api, Json, StatusError
from tests.system.e2e.migration.loop import Loop

ZONE = "topology.kubernetes.io/zone"
SELECTED_NODE = "volume.kubernetes.io/selected-node"
PROVISIONER = "volumes.example.com"

WAITS, IMMEDIATE, ANYWHERE = "zonal", "zonal-immediate", "network"
"""The StorageClasses: a zone that the first consumer decides, a zone of the provisioner's choice,
and volumes that every node can access, bound by their first consumer."""

SECONDS = 0.1
"""The time that a volume takes."""


def storage_classes() -> list[Json]:
    return [
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {"name": name},
            "provisioner": PROVISIONER,
            "reclaimPolicy": "Retain",
            "volumeBindingMode": "Immediate" if name == IMMEDIATE else "WaitForFirstConsumer",
        }
        for name in (WAITS, IMMEDIATE, ANYWHERE)
    ]


class Provisioner:
    """Creates a volume for each PVC of its classes."""

    def __init__(self, api: Api, loop: Loop) -> None:
        self._api, self._loop = api, loop
        self.without_room: set[str] = set()
        """Nodes that no volume can be created for."""
        self.withdrawn: list[tuple[str, str]] = []
        """PVCs whose selected node was one of these, and that node."""
        self._zones = itertools.cycle("ab")
        """The zones of volumes of the Immediate class."""
        self._seen: set[tuple[str, str]] = set()
        """UIDs of PVCs with the nodes that were selected for them."""
        loop.watch("PersistentVolumeClaim", self._handle)

    def _handle(self, pvc: Json) -> None:
        metadata, spec = pvc["metadata"], pvc["spec"]
        node = metadata.get("annotations", {}).get(SELECTED_NODE, "")
        waits = spec["storageClassName"] != IMMEDIATE
        if (
            spec["storageClassName"] not in (WAITS, IMMEDIATE, ANYWHERE)
            or {"volumeName", "dataSourceRef"} & spec.keys()
            or "deletionTimestamp" in metadata
            or (waits and not node)
            or (metadata["uid"], node) in self._seen
        ):
            return
        if node in self.without_room:
            self.withdrawn.append((metadata["name"], node))
            body = {"metadata": {"annotations": {SELECTED_NODE: None}}}
            with suppress(StatusError):  # it has been deleted
                self._api.patch(
                    "PersistentVolumeClaim", metadata["name"], body, metadata["namespace"]
                )
            return
        self._seen.add((metadata["uid"], node))
        self._loop.after(SECONDS, self.provision, pvc, node)

    def provision(self, pvc: Json, node: str) -> None:
        """Create the volume of a PVC, in the zone of a node; in any zone without one."""
        metadata, spec = pvc["metadata"], pvc["spec"]
        body: Json = {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {
                "name": f"pvc-{metadata['uid']}",
                "annotations": {"pv.kubernetes.io/provisioned-by": PROVISIONER},
            },
            "spec": {
                "capacity": spec["resources"]["requests"],
                "accessModes": spec["accessModes"],
                "volumeMode": spec["volumeMode"],
                "storageClassName": spec["storageClassName"],
                "persistentVolumeReclaimPolicy": "Retain",
                "claimRef": {
                    "apiVersion": "v1",
                    "kind": "PersistentVolumeClaim",
                    "namespace": metadata["namespace"],
                    "name": metadata["name"],
                    "uid": metadata["uid"],
                },
                "nfs": {"server": "127.0.0.1", "path": "/"},
            },
        }
        if spec["storageClassName"] != ANYWHERE:
            zone = self._zone(node)
            expression = {"key": ZONE, "operator": "In", "values": [zone]}
            term = {"matchExpressions": [expression]}
            body["spec"]["nodeAffinity"] = {"required": {"nodeSelectorTerms": [term]}}
        self._api.create(body)

    def _zone(self, node: str) -> str:
        if not node:
            return next(self._zones)
        zone: str = self._api.get("Node", node)["metadata"]["labels"][ZONE]
        return zone


def zone_of(volume: Json) -> str:
    """Return the zone of a volume; empty if every node can access it."""
    if "nodeAffinity" not in volume["spec"]:
        return ""
    (term,) = volume["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"]
    zone: str = term["matchExpressions"][0]["values"][0]
    return zone
