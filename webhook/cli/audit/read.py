"""The objects that `audit` uses: of files, or of a cluster as far as RBAC permits."""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import TypeVar

from webhook import settings
from webhook.cli.disks import read_conflicts, read_pvcs, select_bound_disks
from webhook.cli.files.plans import index_disks, read_contents
from webhook.cli.files.pods import read_pods
from webhook.cli.options.cluster import items
from webhook.cli.options.plan import plan_path
from webhook.cli.release.find import Release
from webhook.cli.release.webhooks import read_webhooks
from webhook.forklift.plan import API_PATH, NAME_PATTERN, PlanObject
from webhook.forklift.roles import ROLES_WITH_PVC, recognize
from webhook.inventory import nodes, pods
from webhook.inventory.pvc_index import PvcIndex
from webhook.karl import minimums
from webhook.kube.api.client import Client
from webhook.kube.api.collection import ListWatch
from webhook.kube.api.errors import ApiError
from webhook.kube.objects import Json, metadata_of, name_of, namespace_of
from webhook.kube.priority import PRIORITY_CLASSES_PATH, PriorityClassObject
from webhook.kube.storage import STORAGE_CLASSES_PATH, StorageClassObject
from webhook.model import ClusterState, Installation, NodeValues, Plan, Role
from webhook.placement.disk_users import describe_surroundings
from webhook.placement.missed import EnforcementWindow
from webhook.placement.priority import names_class
from webhook.reports.audit import AuditInput
from webhook.reports.conflicts import find_plan_conflicts
from webhook.reports.exclusions import InstalledWebhooks

T = TypeVar("T")

PVCS_OF_PODS = "persistentvolumeclaims of pods"
"""Of importers and populators, which may lead to their plan by their PVC only."""

NEVER = "9999"
"""Later than any time: no pod is reported as missed if it is not known what is installed."""
PROGRESS_INTERVAL_OBJECTS = 100


def read_files(
    plans: Path, filename: str | None, namespace: str, installation: Installation
) -> AuditInput:
    """Read plans and nodes of `plans`, a file or a directory, and the pods of a file.

    Raises:
        UserError: a file cannot be read.

    """
    contents = read_contents(plans)
    chosen = [plan for plan in contents.plans if namespace in ("", plan["metadata"]["namespace"])]
    known = [settings.read(plan, installation) for plan in chosen]
    keys = minimums.label_keys(*(plan.settings for plan in known), installation.enforced)
    pods_of_file = read_pods(filename) if filename else []
    values = minimums.label_values(contents.nodes, keys)
    disks, surroundings = index_disks(contents), describe_surroundings([])
    conflicts = {
        (plan.namespace, plan.name): [
            row for _, row in find_plan_conflicts(plan, found, installation, surroundings)
        ]
        for plan, found in select_bound_disks(disks, known)
    }
    return AuditInput(
        chosen,
        pods_of_file,
        cluster=ClusterState(values, contents.priority_classes or None),
        find_disk=disks.find_disk,
        conflicts=conflicts,
    )


class ClusterReader:
    """Reads a cluster, reports its progress, and goes on without what RBAC forbids."""

    def __init__(self, client: Client, unread: list[str], progress: Callable[[str], None]) -> None:
        """Add to `unread` the resources that cannot be read, with the consequence."""
        self._client = client
        self._unread = unread
        self._progress = progress
        self.incomplete: set[str] = set()
        """Resources, as `kubectl get` names them, of which not all could be read."""

    def read_cluster(
        self, namespace: str, installation: Installation, installed: list[Release] | None
    ) -> AuditInput:
        """Read all plans and migration pods, or the plans of a namespace and their pods.

        Raises:
            ApiError: the API server did not answer, or RBAC forbids everything.

        """
        path = plan_path(self._client, namespace) if namespace else f"{API_PATH}/plans"
        plans = self._read("plans", self._list_plans(path), "no plan is checked")
        known = [settings.read(plan, installation) for plan in plans or ()]
        targets = {
            plan.target_namespace for plan in known if NAME_PATTERN.fullmatch(plan.target_namespace)
        }
        inspections = any(Role.INSPECTION in plan.settings.pods for plan in known)
        own = {namespace} if inspections else set[str]()  # deep ones are beside their Plan
        namespaces = sorted(targets | own) if namespace else [""]
        found = [self._read_pods(each, installation) for each in namespaces]
        pods_read = list({_key(pod): pod for read in found for pod in read or ()}.values())
        if plans is None and (namespace or None in found):  # pods cannot be checked without plans
            raise ApiError("; ".join(self._unread), 403)
        keys = minimums.label_keys(*(plan.settings for plan in known), installation.enforced)
        disks = self._read_disks(pods_read, namespaces, installation)
        return AuditInput(
            plans=plans or [],
            pods=pods_read,
            cluster=ClusterState(
                self._read_node_values(keys), self._read_priority_classes(known, installation)
            ),
            find_disk=disks.find_disk,
            conflicts=read_conflicts(self._client, disks, known, installation, self._read),
            webhooks=self._read_webhooks(installed, targets),
            window=_find_enforcement_window(installed, installation),
        )

    def _list_plans(self, path: str) -> Iterator[Json]:
        for plan in ListWatch(self._client, path, PlanObject).list_items():
            yield plan.to_json()

    def _read_pods(self, namespace: str, installation: Installation) -> list[Json] | None:
        path = pods.collection_path(namespace)
        found = chain.from_iterable(
            items(self._client, path, **query) for query in pods.list_queries(installation.roles)
        )
        return self._read("pods", found, "existing pods are not checked")

    def _read_disks(
        self, found: list[Json], namespaces: list[str], installation: Installation
    ) -> PvcIndex:
        """Read the PVCs of migrations, and the StorageClasses if there are pods that need them.

        They are read after the pods, so that an unbound PVC was unbound when its pod was created.
        """
        if not ROLES_WITH_PVC.intersection(installation.roles):
            return PvcIndex(lambda _created: 0.0)
        kinds = [recognize(metadata_of(pod), namespace_of(pod)) for pod in found]
        has_pods = any(kind and kind.pvc for kind in kinds)
        consequence = "the disks of running migrations are not checked"
        if has_pods:
            consequence += ", nor importers and populators whose labels name no plan"
        index = read_pvcs(self._client, namespaces, self._read, consequence)
        if not has_pods:
            return index
        if "persistentvolumeclaims" in self.incomplete:
            self.incomplete.add(PVCS_OF_PODS)
        classes = ListWatch(self._client, STORAGE_CLASSES_PATH, StorageClassObject)
        consequence = "all are taken for WaitForFirstConsumer"
        read = self._read("storageclasses", classes.list_items(), consequence) or ()
        index.set_binding_modes(
            {each.metadata.name: each.waits_for_first_consumer for each in read}
        )
        return index

    def _read_node_values(self, keys: frozenset[str]) -> NodeValues:
        if not keys:
            return {}
        node_list = ListWatch(self._client, nodes.PATH, nodes.NodeObject, metadata_only=True)
        labels = (node.labels for node in node_list.list_items())
        consequence = "for compared labels only the values in the settings are known"
        return minimums.label_values(self._read("nodes", labels, consequence) or (), keys)

    def _read_priority_classes(
        self, plans: list[Plan], installation: Installation
    ) -> frozenset[str] | None:
        """Read the PriorityClasses if a plan names one; None if they are not known."""
        if not (installation.has_priority_classes and any(map(names_class, plans))):
            return None
        classes = ListWatch(
            self._client, PRIORITY_CLASSES_PATH, PriorityClassObject, metadata_only=True
        )
        consequence = "pods are audited as if their classes did not exist"
        read = self._read("priorityclasses", classes.list_items(), consequence)
        return None if read is None else frozenset(each.metadata.name for each in read)

    def _read_webhooks(
        self, installed: list[Release] | None, targets: Iterable[str]
    ) -> InstalledWebhooks:
        webhooks = read_webhooks(self._client, installed, targets, self._unread)
        if installed is None:
            self.incomplete.add("mutatingwebhookconfigurations")
        elif not all(each.installation for each in installed):
            self.incomplete.add("configmaps")
        if None in webhooks.namespace_labels.values():
            self.incomplete.add("namespaces")
        return webhooks

    def _read(self, resource: str, found: Iterable[T], consequence: str) -> list[T] | None:
        """Return all objects of a resource; None if RBAC forbids it or it is not served."""
        read: list[T] = []
        try:
            for each in found:
                read.append(each)
                if len(read) % PROGRESS_INTERVAL_OBJECTS == 0:
                    self._progress(f"reading {resource}: {len(read)}")
        except ApiError as error:
            if error.status not in (403, 404):
                raise
            self._unread.append(f"{error}; {consequence}")
            self.incomplete.add(resource)
            return None
        return read


def _key(pod: Json) -> tuple[str, str]:
    return namespace_of(pod), name_of(pod)


def _find_enforcement_window(
    installed: list[Release] | None, installation: Installation
) -> EnforcementWindow | None:
    """Return the time in which the webhook must have placed pods; None if there is none.

    There is none without a webhook, and if the flags of this command set other modes than those
    of the installed one: what only these modes would place was not missed. It never begins if the
    settings of a webhook, and so the time of their last change, cannot be read.
    """
    if installed is None:
        return EnforcementWindow(NEVER)
    known = [each.installation for each in installed if each.installation]
    if not installed or any(_modes(each) != _modes(installation) for each in known):
        return None
    if len(known) < len(installed):
        return EnforcementWindow(NEVER)
    return EnforcementWindow(max(each.since for each in installed))


def _modes(installation: Installation) -> tuple[object, ...]:
    return installation.mode, installation.namespace_modes, installation.plan_modes
