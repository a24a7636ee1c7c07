"""The disks of running migrations in a cluster, and their conflicts."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

from webhook.cli.explain.objects import NodeObject, as_json
from webhook.forklift.progress import Progress
from webhook.forklift.pvc import PvcObject
from webhook.inventory import VmDisk, VmRef, clock, have_known_place, nodes, plan_of
from webhook.inventory.cluster_pvcs import DISKS, PRIMES, collection_path
from webhook.inventory.index import Key
from webhook.inventory.progress import read_progress
from webhook.inventory.pvc_index import PvcIndex
from webhook.kube.api.client import Client
from webhook.kube.api.collection import ListWatch
from webhook.kube.api.errors import ApiError
from webhook.kube.storage import VOLUMES_PATH, VolumeObject
from webhook.model import Installation, Plan
from webhook.placement.disk_users import describe_surroundings
from webhook.reports.conflicts import VmConflict, find_plan_conflicts
from webhook.reports.explain.model import ConflictRow


class ReadResource(Protocol):
    """Reads all objects of a resource; None, with a note on the consequence, if RBAC forbids it."""

    def __call__(
        self, resource: str, found: Iterable[Any], consequence: str, /
    ) -> list[Any] | None: ...


def read_pvcs(
    client: Client,
    namespaces: Iterable[str],
    read: ReadResource,
    consequence: str,
    query: Mapping[str, str] = DISKS,
) -> PvcIndex:
    """Read the PVCs of migrations in these namespaces, of which an empty one is for all.

    `query` selects the disks, `DISKS` all of them.
    """
    index = PvcIndex(lambda created: clock.seconds_since(created, client.clock_offset))
    for namespace in namespaces:
        found = _list_pvcs(client, collection_path(namespace), query)
        for pvc in read("persistentvolumeclaims", found, consequence) or ():
            index.put(pvc.to_pvc())
    return index


def _list_pvcs(client: Client, path: str, query: Mapping[str, str]) -> Iterator[PvcObject]:
    """Yield disks, and if there are any, the PVCs through which CDI fills disks."""
    disks = list(ListWatch(client, path, PvcObject, query).list_items())
    yield from disks
    if disks:
        yield from ListWatch(client, path, PvcObject, PRIMES).list_items()


def read_conflicts(
    client: Client,
    index: PvcIndex,
    plans: Iterable[Plan],
    installation: Installation,
    read: ReadResource,
) -> dict[Key, list[ConflictRow]]:
    """Read volumes and nodes, and return the conflicts of the plans that have any.

    Raises:
        ApiError: the API server did not answer.

    """
    read_places(client, index, read)
    of_plans = select_bound_disks(index, plans)
    if not of_plans:
        return {}
    node_list = ListWatch(client, nodes.PATH, NodeObject).list_items()
    consequence = "disks are compared with the rules of their plan only"
    surroundings = describe_surroundings(map(as_json, read("nodes", node_list, consequence) or ()))
    conflicts: dict[Key, list[ConflictRow]] = {}
    for plan, found in of_plans:
        rows = [*find_plan_conflicts(plan, found, installation, surroundings)]
        if rows and (running := _select_running(client, plan, rows)):
            conflicts[plan.namespace, plan.name] = running
    return conflicts


class VmDiskSource(Protocol):
    """Disks by VM: `PvcIndex`, or those of files."""

    def list_vms(self) -> list[VmRef]: ...
    def list_disks(self, vm: VmRef) -> list[VmDisk]: ...


def select_bound_disks(
    source: VmDiskSource, plans: Iterable[Plan]
) -> list[tuple[Plan, dict[VmRef, list[VmDisk]]]]:
    """Return the plans with disks whose places are known, and all disks of these VMs."""
    by_ref: dict[str | Key, dict[VmRef, list[VmDisk]]] = defaultdict(dict)
    for vm in source.list_vms():
        disks = source.list_disks(vm)
        ref = plan_of(disks)
        if ref and have_known_place(disks):
            by_ref[ref.uid or (ref.namespace, ref.name)][vm] = disks
    found = []
    for plan in plans:
        named = by_ref.get((plan.namespace, plan.name), {})
        of_plan = by_ref.get(plan.uid, {}) | named if plan.uid else named
        target = plan.target_namespace
        in_target = {vm: disks for vm, disks in of_plan.items() if vm.namespace == target}
        if in_target:
            found.append((plan, in_target))
    return found


def read_places(client: Client, index: PvcIndex, read: ReadResource) -> None:
    """Read the volumes of bound PVCs."""
    unread = [pvc for uid in index.list_unread_volumes() if (pvc := index.find_unread_volume(uid))]
    if not unread:
        return
    volumes = ListWatch(client, VOLUMES_PATH, VolumeObject).list_items()
    found = read("persistentvolumes", volumes, "the places of bound disks are not known") or ()
    terms = {volume.metadata.name: volume.node_terms for volume in found}
    for pvc in unread:
        if pvc.volume in terms:
            index.set_node_terms(pvc, terms[pvc.volume])


def _select_running(client: Client, plan: Plan, rows: list[VmConflict]) -> list[ConflictRow]:
    """Return the conflicts of VMs whose migration has not ended: PVCs keep their labels."""
    try:
        progress = read_progress(client, plan)
    except ApiError as error:
        if error.status != 403:
            raise
        progress = Progress()
    return [row for vm, row in rows if not progress.has_ended(vm.migration, vm.vm)]
