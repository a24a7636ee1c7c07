"""The cluster objects that `explain` uses, listed in pages and reduced to the fields it needs."""

from typing import TypeVar

from webhook.cli.explain.objects import NamespaceObject, NodeObject, PodObject, as_json, index_disks
from webhook.forklift.plan import NAME_PATTERN
from webhook.forklift.pvc import PvcObject
from webhook.inventory import VmDisk, VmRef
from webhook.kube.api.client import Client
from webhook.kube.api.collection import ApiObject, ListWatch
from webhook.kube.api.errors import ApiError
from webhook.kube.objects import Json
from webhook.kube.storage import VolumeObject
from webhook.model import Pvc
from webhook.reports.explain import ClusterObjects

_FORBIDDEN = 403
_PVC_SELECTORS = ("plan={plan_uid}", "app=containerized-data-importer,!plan")
"""The disks of the plan, and the PVCs through which CDI fills disks."""

T = TypeVar("T", bound=ApiObject)


def read_cluster(client: Client, target_namespace: str, plan_uid: str = "") -> ClusterObjects:
    """Read nodes, namespaces, pods, and the disks of a plan.

    Whatever RBAC forbids is left out and reported in `unread`.

    Raises:
        ApiError: the API server did not answer, or failed for another reason than RBAC.

    """
    reader = _Reader(client)
    nodes = reader.list_objects("nodes", NodeObject, "nodes are not evaluated")
    namespaces = reader.list_objects(
        "namespaces", NamespaceObject, "rules that select namespaces by labels match none"
    )
    pods = reader.list_objects(
        "pods", PodObject, "only pods that can be read count for free resources and rules"
    )
    all_pods = pods is not None
    disks: dict[VmRef, list[VmDisk]] = {}
    if NAME_PATTERN.fullmatch(target_namespace):
        target = f"namespaces/{target_namespace}"
        if not all_pods:
            consequence = "the plan's pods are not listed"
            pods = reader.list_objects(f"{target}/pods", PodObject, consequence)
        if plan_uid:
            disks = reader.read_disks(target, plan_uid)
    return ClusterObjects(
        nodes or [], pods or [], namespaces or [], reader.unread, all_pods, disks=disks
    )


class _Reader:
    """Reads what RBAC permits."""

    def __init__(self, client: Client) -> None:
        self.unread: list[str] = []
        """The resources that RBAC forbids, with the consequence."""
        self._client = client

    def list_objects(self, path: str, kind: type[T], consequence: str) -> list[Json] | None:
        """List the objects of a resource; None if that is forbidden."""
        found = self._list(path, kind, consequence)
        return None if found is None else list(map(as_json, found))

    def read_disks(self, namespace: str, plan_uid: str) -> dict[VmRef, list[VmDisk]]:
        """Read the PVCs of a plan, and the volumes of those that are bound."""
        pvcs: list[Pvc] = []
        for selector in _PVC_SELECTORS:
            found = self._list(
                f"{namespace}/persistentvolumeclaims",
                PvcObject,
                "the disks of running migrations are not checked",
                selector.format(plan_uid=plan_uid),
            )
            if not found:
                break  # without disks no other PVC matters
            pvcs += (item.to_pvc() for item in found)
        volumes: list[VolumeObject] | None = None
        if any(pvc.bound for pvc in pvcs):
            consequence = "the places of bound disks are not known"
            volumes = self._list("persistentvolumes", VolumeObject, consequence)
        by_name = {volume.metadata.name: volume.node_terms for volume in volumes or ()}
        return index_disks(pvcs, by_name)

    def _list(
        self, path: str, kind: type[T], consequence: str, selector: str = ""
    ) -> list[T] | None:
        query = {"labelSelector": selector} if selector else {}
        try:
            return list(ListWatch(self._client, f"/api/v1/{path}", kind, query).list_items())
        except ApiError as error:
            if error.status != _FORBIDDEN:
                raise
            self.unread.append(f"{error}; {consequence}")
            return None
