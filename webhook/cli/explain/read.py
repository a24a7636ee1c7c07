"""The cluster objects that `explain` uses, listed in pages and reduced to the fields it needs."""

from collections.abc import Iterable
from typing import Any, TypeVar

from webhook.cli.disks import read_places, read_pvcs
from webhook.cli.explain.objects import NamespaceObject, NodeObject, PodObject, as_json
from webhook.forklift.plan import NAME_PATTERN
from webhook.inventory import VmDisk, VmRef
from webhook.inventory.profile_check import check_profile
from webhook.kube.api.client import Client
from webhook.kube.api.collection import ApiObject, ListWatch
from webhook.kube.api.errors import ApiError
from webhook.kube.objects import Json
from webhook.kube.pod_selectors import (
    API_VERSIONS,
    PodSelector,
    SelectingObject,
    collection_path,
    read_pod_selector,
)
from webhook.kube.priority import PRIORITY_CLASSES_PATH, PriorityClassObject
from webhook.model import ConvertorProfile, Installation
from webhook.reports.explain import ClusterObjects

_FORBIDDEN = 403

T = TypeVar("T", bound=ApiObject)


def read_cluster(
    client: Client, target_namespace: str, plan_uid: str = "", *, priority_classes: bool = False
) -> ClusterObjects:
    """Read nodes, namespaces, pods, what selects these, a plan's disks, and PriorityClasses.

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
    selectors: list[PodSelector] = []
    if NAME_PATTERN.fullmatch(target_namespace):
        if not all_pods:
            consequence = "the plan's pods are not listed"
            pods = reader.list_objects(
                f"namespaces/{target_namespace}/pods", PodObject, consequence
            )
        if plan_uid:
            disks = reader.read_disks(target_namespace, plan_uid)
        selectors = reader.read_pod_selectors(target_namespace)
    return ClusterObjects(
        nodes or [],
        pods or [],
        namespaces or [],
        reader.unread,
        all_pods,
        disks=disks,
        priority_classes=reader.read_priority_classes() if priority_classes else None,
        pod_selectors=selectors,
    )


def read_profile_refusal(
    client: Client, target_namespace: str, installation: Installation, unread: list[str]
) -> str:
    """Return the reason why the API server refuses pods with the convertor profile; empty if not.

    The pod is sent as a dry run. If that is not permitted, or decides nothing, `unread` has the
    reason.

    Raises:
        ApiError: the API server did not answer, or failed.

    """
    profile = installation.profile_for(target_namespace)
    if profile == ConvertorProfile() or not NAME_PATTERN.fullmatch(target_namespace):
        return ""
    found = check_profile(client, target_namespace, installation)
    if found.unchecked:
        unread.append(f"{found.unchecked}; the convertor profile is not checked")
    return found.refusal


class _Reader:
    """Reads what RBAC permits."""

    def __init__(self, client: Client) -> None:
        self.unread: list[str] = []
        """The resources that RBAC forbids, with the consequence."""
        self._client = client

    def list_objects(self, path: str, kind: type[T], consequence: str) -> list[Json] | None:
        """List the objects of a resource; None if that is forbidden."""
        items = ListWatch(self._client, f"/api/v1/{path}", kind).list_items()
        found = self._read(path, items, consequence)
        return None if found is None else list(map(as_json, found))

    def read_priority_classes(self) -> frozenset[str] | None:
        """Read the names of the PriorityClasses; None if that is forbidden."""
        classes = ListWatch(
            self._client, PRIORITY_CLASSES_PATH, PriorityClassObject, metadata_only=True
        )
        consequence = "the pods are explained as if their class did not exist"
        found = self._read("priorityclasses", classes.list_items(), consequence)
        return None if found is None else frozenset(each.metadata.name for each in found)

    def read_pod_selectors(self, namespace: str) -> list[PodSelector]:
        """Read the Services and others that select pods of a namespace."""
        found: list[PodSelector] = []
        for kind in API_VERSIONS:
            objects = ListWatch(self._client, collection_path(kind, namespace), SelectingObject)
            consequence = f"a {kind} that selects the pods of the plan is not reported"
            read = self._read(kind, objects.list_items(), consequence) or ()
            found += (read_pod_selector(kind, each) for each in read)
        return found

    def read_disks(self, namespace: str, plan_uid: str) -> dict[VmRef, list[VmDisk]]:
        """Read the PVCs of a plan in its target namespace, and the volumes of those bound."""
        consequence = "the disks of running migrations are not checked"
        query = {"labelSelector": f"plan={plan_uid}"}
        index = read_pvcs(self._client, [namespace], self._read, consequence, query)
        read_places(self._client, index, self._read)
        return {vm: index.list_disks(vm) for vm in sorted(index.list_vms())}

    def _read(self, _resource: str, found: Iterable[Any], consequence: str) -> list[Any] | None:
        try:
            return list(found)
        except ApiError as error:
            if error.status != _FORBIDDEN:
                raise
            self.unread.append(f"{error}; {consequence}")
            return None
