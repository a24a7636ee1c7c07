"""Watch of migration pods, of all or of some namespaces, which finds those without placement.

Forklift's own pods, CDI's importers and populators have no label in common, so each of the three is
a collection of its own.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import msgspec
import structlog

from webhook.admission.events import PlanEvent, RelatedPod
from webhook.forklift.labels import CONVERTOR_LABEL
from webhook.forklift.roles import (
    IMPORTER_LABEL,
    IMPORTER_VALUE,
    POPULATOR_LABEL,
    ROLES_BY_APP,
    decides_place,
)
from webhook.inventory import NO_PVCS, Plans, Pvcs
from webhook.inventory.clock import format_time
from webhook.inventory.index import Key
from webhook.inventory.webhook_calls import WebhookCalls
from webhook.kube.api import reflector
from webhook.kube.api.client import Client
from webhook.kube.api.collection import ListWatch
from webhook.kube.api.errors import ApiError
from webhook.model import Installation, Plan, Reason, Role
from webhook.placement import missed
from webhook.placement.missed import EnforcementWindow, Finding, Observed, PodMetadata

log = structlog.get_logger()

NOT_ENDED = "status.phase!=Succeeded,status.phase!=Failed"
"""The watch reports a pod that ends as deleted: its placement no longer matters."""

MAX_PVCS_AGE_SECONDS = 120.0
"""Since the known PVCs were confirmed: a PVC that was unbound longer ago may be bound by now."""

WINDOW_REACH = timedelta(minutes=2)
"""The time before the start from which a placed pod proves that the mode has been the same since.

Changing the mode of an installation and changing it back takes two rollouts of its Deployment and
a pod in between, which is longer. A server cannot read such changes anywhere.
"""


def collection_path(namespace: str = "") -> str:
    """Return the path of the pods of a namespace, or of all pods."""
    return f"/api/v1/namespaces/{namespace}/pods" if namespace else "/api/v1/pods"


def list_queries(roles: Collection[Role]) -> list[dict[str, str]]:
    """Return the query for each kind of pods of these roles."""
    apps = sorted(app for app, role in ROLES_BY_APP.items() if role in roles)
    selectors = [_select_apps(apps)] if apps else []
    if {Role.IMPORTER, Role.FIRST_CONSUMER} & {*roles}:
        selectors.append(f"{IMPORTER_LABEL}={IMPORTER_VALUE}")
    if Role.POPULATOR in roles:
        selectors.append(POPULATOR_LABEL)
    return [{"labelSelector": selector, "fieldSelector": NOT_ENDED} for selector in selectors]


def _select_apps(apps: list[str]) -> str:
    if len(apps) == 1:
        return f"{CONVERTOR_LABEL}={apps[0]}"
    return f"{CONVERTOR_LABEL} in ({','.join(apps)})"


class PodWatchTiming(NamedTuple):
    """The intervals of the checks and of the watch."""

    grace_period_seconds: float = 5.0
    """From the first event of a pod to its check: its plan may arrive later."""
    check_interval_seconds: float = 2.0
    """Between two checks of the pods that are due."""
    watch: reflector.ReflectorTiming = reflector.ReflectorTiming()


class PodsStatus(msgspec.Struct, frozen=True):
    """The state of the watch, and the number of migration pods and of those missed."""

    synced: bool
    age_seconds: float
    """Since the API server last confirmed the known pods."""
    restarts: int
    """The number of watches that were restarted after a failure since the start."""
    message: str
    """The error of the watch; empty if there is none."""
    count: int = 0
    """The number of pods with a plan, or that are to be checked, that have not ended."""
    missed: Mapping[tuple[Reason, Role], int] = {}
    """The number of pods without their placement now."""
    seen: Mapping[tuple[Reason, Role], int] = {}
    """The number of such pods since the start."""


class _Metadata(msgspec.Struct, omit_defaults=True):
    name: str
    namespace: str = ""
    uid: str = ""
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    created: str | None = msgspec.field(name="creationTimestamp", default=None)
    owners: list[dict[str, Any]] | None = msgspec.field(name="ownerReferences", default=None)
    resource_version: str = msgspec.field(name="resourceVersion", default="")


class _PodObject(msgspec.Struct):
    metadata: _Metadata


class PodWatch:
    """Checks every migration pod once its plan should be known, and again when it changes.

    Only metadata is watched, and a pod with its placement is not kept in memory.
    """

    def __init__(  # noqa: PLR0913 - what it reads, and where it reports
        self,
        client: Client,
        plans: Plans,
        installation: Installation,
        event_sink: Callable[[PlanEvent], None],
        timing: PodWatchTiming | None = None,
        *,
        pvcs: Pvcs = NO_PVCS,
        namespaces: Collection[str] = (),
        webhook_config: str = "",
    ) -> None:
        """Start nothing.

        Only pods in `namespaces` are watched, with up to three threads and connections for each;
        all pods if it is empty. `pvcs` lead from importers and populators to their plans, if their
        labels do not. `webhook_config` is the name of the webhook's configuration: pods for which
        the API server does not call it are not missed. If it is empty, the webhook is called for
        every pod.
        """
        self._client = client
        self._webhook_config = webhook_config
        self._plans = plans
        self._pvcs = pvcs
        self._installation = installation
        self._event_sink = event_sink
        self._timing = timing or PodWatchTiming()
        self._lock = threading.Lock()
        self._known: dict[Key, int] = {}
        """Existing pods, and the number of the collection that each is in."""
        self._without_plan: set[Key] = set()
        """Those that belong to no known plan, such as importers of other users."""
        self._unbound: dict[Key, str] = {}
        """The UIDs of importers whose disk was seen unbound."""
        self._pending: dict[Key, tuple[PodMetadata, float]] = {}
        """Pods that are to be checked or are missed, and the time of their first event."""
        self._missed: dict[Key, tuple[Reason, Role]] = {}
        self._seen = Counter[tuple[Reason, Role]]()
        self._window: EnforcementWindow | None = None
        self._stopped = threading.Event()
        self._reflectors = [
            reflector.Reflector(
                ListWatch(
                    client, collection_path(namespace), _PodObject, query, metadata_only=True
                ),
                _CollectionStore(self, namespace, number),
                self._timing.watch,
            )
            for number, query in enumerate(list_queries(installation.roles))
            for namespace in namespaces or ("",)
        ]
        self._thread = threading.Thread(target=self._run, name="missed pods", daemon=True)

    def start(self) -> None:
        """Start to list, watch and check."""
        for each in self._reflectors:
            each.start()
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        reflector.stop_all(self._reflectors)

    def status(self) -> PodsStatus:
        """Return the current state."""
        watches = reflector.combine(each.status() for each in self._reflectors)
        with self._lock:
            current = Counter(self._missed.values())
            total = Counter(self._seen)
            count = len(self._known) - len(self._without_plan)
            return PodsStatus(*watches, count, current, total)

    def replace(self, namespace: str, items: Iterable[_PodObject], number: int = 0) -> None:
        """Replace the pods of a collection, in a namespace or in all if it is empty."""
        with self._lock:
            deleted = {
                key
                for key, known in self._known.items()
                if known == number and namespace in ("", key[0])
            }
        for item in items:
            deleted.discard(_key(item))
            self.update(item, number)
        for key in deleted:
            self._forget(key)
        with self._lock:
            if self._window is None:  # from the first list on: another one may never succeed
                now = datetime.now(UTC) + self._client.clock_offset
                self._window = EnforcementWindow(format_time(now), format_time(now - WINDOW_REACH))

    def update(self, item: _PodObject, number: int = 0) -> None:
        """Add or update a pod of a collection."""
        key = _key(item)
        pod = missed.read_metadata(msgspec.to_builtins(item.metadata), self._installation.prefix)
        if pod is None:
            self._forget(key)
            return
        self._observe(key, pod)
        with self._lock:
            _, first = self._pending.get(key, (None, time.monotonic()))
            self._pending[key] = pod, first
            self._known[key] = number

    def delete(self, item: _PodObject) -> None:
        """Remove a pod that was deleted or has ended."""
        self._forget(_key(item))

    def _observe(self, key: Key, pod: PodMetadata) -> Observed:
        """Look at the disk of a pod now, and remember an importer whose disk is not bound.

        Its PVC is bound soon after the pod is scheduled, and was not when the pod was created.
        """
        disk = self._pvcs.find_disk(pod.kind.pvc) if pod.kind.pvc else None
        is_unbound = disk is not None and pod.kind.role is Role.IMPORTER and decides_place(disk)
        is_current = is_unbound and self._pvcs.status().age_seconds < MAX_PVCS_AGE_SECONDS
        with self._lock:
            if is_current:
                self._unbound[key] = pod.uid
            was_unbound = self._unbound.get(key) == pod.uid
        return Observed(disk, was_unbound)

    def _forget(self, key: Key) -> None:
        with self._lock:
            self._known.pop(key, None)
            self._without_plan.discard(key)
            self._unbound.pop(key, None)
            self._pending.pop(key, None)
            self._missed.pop(key, None)

    def _run(self) -> None:
        while not self._stopped.wait(self._timing.check_interval_seconds):
            try:
                self.check_due_pods()
            except ApiError as error:
                log.warning("looking for missed pods failed", reason=str(error))
            except Exception:  # an internal error; the next check may succeed
                log.exception("looking for missed pods failed")

    def check_due_pods(self) -> None:
        """Check the pending pods whose grace period is over.

        Raises:
            ApiError: the webhook's configuration could not be read; the next check may succeed.

        """
        window = self._window
        if window is None:
            return
        calls = WebhookCalls(self._client, self._webhook_config)
        latest = time.monotonic() - self._timing.grace_period_seconds
        with self._lock:
            due = [(key, pod) for key, (pod, first) in self._pending.items() if first <= latest]
        for key, pod in sorted(due, key=lambda each: not each[1].placement):
            observed = self._observe(key, pod)
            plan = self._find_plan(pod, observed)
            if plan is Reason.PLANS_NOT_SYNCED:
                continue
            finding = None
            if isinstance(plan, Plan):
                finding = missed.check_placement(pod, plan, self._installation, window, observed)
                if self._is_new_miss(key, finding) and not _is_called(calls, pod):
                    finding = None
            if self._record(key, pod, finding, has_plan=isinstance(plan, Plan)) and finding:
                self._report(pod, finding)

    def _find_plan(self, pod: PodMetadata, observed: Observed) -> Plan | Reason:
        ref = missed.plan_ref(pod, observed)
        if ref is not None:
            return self._plans.find(ref)
        if pod.kind.pvc and not self._pvcs.status().synced:
            return Reason.PLANS_NOT_SYNCED
        return Reason.NO_PLAN_REFERENCE

    def _is_new_miss(self, key: Key, finding: Finding | None) -> bool:
        return bool(finding and finding.reason is Reason.MISSED and key not in self._missed)

    def _record(
        self, key: Key, pod: PodMetadata, finding: Finding | None, *, has_plan: bool
    ) -> bool:
        """Record a finding, unless the pod has changed since; return True if it is new."""
        with self._lock:
            current, _ = self._pending.get(key, (None, 0))
            if current is not pod:
                return False
            self._without_plan.discard(key)
            if not has_plan:
                self._without_plan.add(key)
            before = self._missed.pop(key, None)
            if finding is None:
                del self._pending[key]
                return False
            found = self._missed[key] = finding.reason, finding.role
            if before and finding.reason is before[0]:
                return False
            self._seen[found] += 1
            return True

    def _report(self, pod: PodMetadata, finding: Finding) -> None:
        reason, message, plan, role = finding
        log.warning(message, reason=reason, role=role, pod=str(pod), plan=str(plan))
        related = RelatedPod(pod.namespace, pod.name, pod.uid)
        event = PlanEvent(plan.ref, plan.generation, reason, message, is_warning=True, pod=related)
        self._event_sink(event)


class _CollectionStore:
    """The pods of one kind, of one namespace or of all if it is empty; a store of a reflector."""

    def __init__(self, pods: PodWatch, namespace: str, number: int) -> None:
        self._pods = pods
        self._namespace = namespace
        self._number = number
        self.delete = pods.delete

    def update(self, item: _PodObject) -> None:
        self._pods.update(item, self._number)

    def replace(self, items: Iterable[_PodObject]) -> None:
        self._pods.replace(self._namespace, items, self._number)


def _is_called(calls: WebhookCalls, pod: PodMetadata) -> bool:
    """Return whether the webhook should have been called for a pod, or that is not known."""
    return calls.includes(pod.namespace, pod.labels) is not False


def _key(item: _PodObject) -> Key:
    return item.metadata.namespace, item.metadata.name
