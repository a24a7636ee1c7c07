"""The cluster objects that `explain` uses, listed in pages and reduced to the fields it needs."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import msgspec

from webhook.forklift.labels import CONVERTOR_LABEL, CONVERTOR_VALUE
from webhook.forklift.plan import NAME_PATTERN
from webhook.forklift.pvc import PvcObject
from webhook.inventory import VmDisk, VmRef
from webhook.inventory.pvc_index import PvcIndex
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
    unread: list[str] = []

    def list_items(
        path: str, kind: type[T], consequence: str, selector: str = ""
    ) -> list[T] | None:
        query = {"labelSelector": selector} if selector else {}
        try:
            return list(ListWatch(client, f"/api/v1/{path}", kind, query).list_items())
        except ApiError as error:
            if error.status != _FORBIDDEN:
                raise
            unread.append(f"{error}; {consequence}")
            return None

    def read(path: str, kind: type[ApiObject], consequence: str) -> list[Json] | None:
        found = list_items(path, kind, consequence)
        return None if found is None else list(map(_as_json, found))

    nodes = read("nodes", _Node, "nodes are not evaluated")
    namespaces = read("namespaces", _Namespace, "rules that select namespaces by labels match none")
    pods = read("pods", _Pod, "only pods that can be read count for free resources and rules")
    all_pods = pods is not None
    disks: dict[VmRef, list[VmDisk]] = {}
    if NAME_PATTERN.fullmatch(target_namespace):
        path = f"namespaces/{target_namespace}"
        if not all_pods:
            pods = read(f"{path}/pods", _Pod, "the plan's pods are not listed")
        pvcs: list[PvcObject] = []
        for selector in _PVC_SELECTORS if plan_uid else ():
            pvcs += (
                list_items(
                    f"{path}/persistentvolumeclaims",
                    PvcObject,
                    "the disks of running migrations are not checked",
                    selector.format(plan_uid=plan_uid),
                )
                or []
            )
        volumes: list[VolumeObject] | None = []
        if any(pvc.to_pvc().bound for pvc in pvcs):
            consequence = "the places of bound disks are not known"
            volumes = list_items("persistentvolumes", VolumeObject, consequence)
        disks = index_disks(
            (pvc.to_pvc() for pvc in pvcs),
            {volume.metadata.name: volume.node_terms for volume in volumes or ()},
        )
    return ClusterObjects(nodes or [], pods or [], namespaces or [], unread, all_pods, disks=disks)


def index_disks(
    pvcs: Iterable[Pvc], volumes: Mapping[str, list[Json]]
) -> dict[VmRef, list[VmDisk]]:
    """Return the disks of each VM, given the node terms of the known volumes."""
    index = PvcIndex(lambda _created: 0.0)
    for pvc in pvcs:
        index.put(pvc)
        if pvc.volume in volumes:
            index.set_node_terms(pvc, volumes[pvc.volume])
    return {vm: index.list_disks(vm) for vm in sorted(index.list_vms())}


def _as_json(item: ApiObject) -> Json:
    plain: Json = msgspec.to_builtins(item)
    metadata = plain["metadata"]
    if (metadata.get("labels") or {}).get(CONVERTOR_LABEL) != CONVERTOR_VALUE:
        metadata.pop("annotations", None)  # other pods' annotations only take memory
    return plain


class _Part(msgspec.Struct, rename="camel", omit_defaults=True):
    """A part of an object, in which null is the same as absent."""


class _Metadata(_Part):
    name: str
    namespace: str = ""
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    owner_references: list[Json] | None = None
    creation_timestamp: str = ""
    deletion_timestamp: str = ""
    resource_version: str = ""


class _Namespace(_Part):
    metadata: _Metadata


class _NodeSpec(_Part):
    unschedulable: bool = False
    taints: list[Json] | None = None


class _NodeStatus(_Part):
    allocatable: dict[str, str] | None = None


class _Node(_Part):
    metadata: _Metadata
    spec: _NodeSpec | None = None
    status: _NodeStatus | None = None


class _Container(_Part):
    name: str
    resources: Json | None = None
    restart_policy: str = ""
    ports: list[Json] | None = None


class _PodVolume(_Part):
    persistent_volume_claim: Json | None = None


class _PodSpec(_Part):
    node_name: str = ""
    node_selector: dict[str, str] | None = None
    affinity: Json | None = None
    tolerations: list[Json] | None = None
    containers: list[_Container] | None = None
    init_containers: list[_Container] | None = None
    overhead: dict[str, str] | None = None
    resources: Json | None = None
    volumes: list[_PodVolume] | None = None
    topology_spread_constraints: list[Any] | None = None
    resource_claims: list[Any] | None = None
    scheduling_gates: list[Any] | None = None
    scheduler_name: str = ""


class _ContainerStatus(_Part):
    name: str
    state: Json | None = None
    resources: Json | None = None
    allocated_resources: dict[str, str] | None = None


class _PodStatus(_Part):
    phase: str = ""
    conditions: list[Json] | None = None
    container_statuses: list[_ContainerStatus] | None = None
    init_container_statuses: list[_ContainerStatus] | None = None
    resources: Json | None = None
    allocated_resources: dict[str, str] | None = None
    nominated_node_name: str = ""


class _Pod(_Part):
    metadata: _Metadata
    spec: _PodSpec | None = None
    status: _PodStatus | None = None
