"""Watch of convertor pods, of all or of some namespaces, which finds those without placement."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import msgspec
import structlog

from webhook.admission.events import PlanEvent, RelatedPod
from webhook.forklift.labels import CONVERTOR_LABEL, CONVERTOR_VALUE
from webhook.inventory import Plans
from webhook.inventory.clock import format_time
from webhook.inventory.index import Key
from webhook.inventory.webhook_calls import WebhookCalls
from webhook.kube.api import reflector
from webhook.kube.api.client import Client
from webhook.kube.api.collection import ListWatch
from webhook.kube.api.errors import ApiError
from webhook.model import Installation, Plan, PlanRef, Reason
from webhook.placement import missed
from webhook.placement.missed import EnforcementWindow, Finding, PodMetadata

log = structlog.get_logger()

QUERY = {
    "labelSelector": f"{CONVERTOR_LABEL}={CONVERTOR_VALUE}",
    "fieldSelector": "status.phase!=Succeeded,status.phase!=Failed",
}
"""The watch reports a pod that ends as deleted: its placement no longer matters."""


WINDOW_REACH = timedelta(minutes=2)
"""The time before the start from which a placed pod proves that the mode has been the same since.

Changing the mode of an installation and changing it back takes two rollouts of its Deployment and
a pod in between, which is longer. A server cannot read such changes anywhere.
"""


def collection_path(namespace: str = "") -> str:
    """Return the path of the pods of a namespace, or of all pods."""
    return f"/api/v1/namespaces/{namespace}/pods" if namespace else "/api/v1/pods"


class PodWatchTiming(NamedTuple):
    """The intervals of the checks and of the watch."""

    grace_period_seconds: float = 5.0
    """From the first event of a pod to its check: its plan may arrive later."""
    check_interval_seconds: float = 2.0
    """Between two checks of the pods that are due."""
    watch: reflector.ReflectorTiming = reflector.ReflectorTiming()


class PodsStatus(msgspec.Struct, frozen=True):
    """The state of the watch, and the number of convertor pods and of those missed."""

    synced: bool
    age_seconds: float
    """Since the API server last confirmed the known pods."""
    restarts: int
    """The number of watches that were restarted after a failure since the start."""
    message: str
    """The error of the watch; empty if there is none."""
    count: int = 0
    """The number of pods that have not ended."""
    missed: Mapping[Reason, int] = {}
    """The number of pods without their placement now, by reason."""
    seen: Mapping[Reason, int] = {}
    """The number of such pods since the start, by reason."""


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
    """Checks every convertor pod once its plan should be known, and again when it changes.

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
        namespaces: Collection[str] = (),
        webhook_config: str = "",
    ) -> None:
        """Start nothing.

        Only pods in `namespaces` are watched, with a thread and a connection for each; all pods if
        it is empty. `webhook_config` is the name of the webhook's configuration: pods for which the
        API server does not call it are not missed. If it is empty, the webhook is called for every
        pod.
        """
        self._client = client
        self._webhook_config = webhook_config
        self._plans = plans
        self._installation = installation
        self._event_sink = event_sink
        self._timing = timing or PodWatchTiming()
        self._lock = threading.Lock()
        self._known: set[Key] = set()
        self._pending: dict[Key, tuple[PodMetadata, float]] = {}
        """Pods that are to be checked or are missed, and the time of their first event."""
        self._missed: dict[Key, Reason] = {}
        self._seen = Counter[Reason]()
        self._window: EnforcementWindow | None = None
        self._stopped = threading.Event()
        self._reflectors = [
            reflector.Reflector(
                ListWatch(
                    client, collection_path(namespace), _PodObject, QUERY, metadata_only=True
                ),
                _NamespaceStore(self, namespace),
                self._timing.watch,
            )
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
            return PodsStatus(*watches, len(self._known), current, total)

    def replace(self, namespace: str, items: Iterable[_PodObject]) -> None:
        """Replace the pods of a namespace, or all pods if it is empty."""
        with self._lock:
            deleted = {key for key in self._known if namespace in ("", key[0])}
        for item in items:
            deleted.discard(_key(item))
            self.update(item)
        for key in deleted:
            self._forget(key)
        with self._lock:
            if self._window is None:  # from the first list on: another one may never succeed
                now = datetime.now(UTC) + self._client.clock_offset
                self._window = EnforcementWindow(format_time(now), format_time(now - WINDOW_REACH))

    def update(self, item: _PodObject) -> None:
        """Add or update a pod."""
        key = _key(item)
        pod = missed.read_metadata(msgspec.to_builtins(item.metadata), self._installation.prefix)
        with self._lock:
            _, first = self._pending.get(key, (None, time.monotonic()))
            self._pending[key] = pod, first
            self._known.add(key)

    def delete(self, item: _PodObject) -> None:
        """Remove a pod that was deleted or has ended."""
        self._forget(_key(item))

    def _forget(self, key: Key) -> None:
        with self._lock:
            self._known.discard(key)
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
            plan = self._plans.find(pod.ref) if pod.ref else Reason.NO_PLAN_REFERENCE
            if plan is Reason.PLANS_NOT_SYNCED:
                continue
            finding = None
            if isinstance(plan, Plan):
                finding = missed.check_placement(pod, plan, self._installation, window)
                if self._is_new_miss(key, finding) and not _is_called(calls, pod):
                    finding = None
            if self._record(key, pod, finding) and finding:
                self._report(pod, finding)

    def _is_new_miss(self, key: Key, finding: Finding | None) -> bool:
        return bool(finding and finding.reason is Reason.MISSED and key not in self._missed)

    def _record(self, key: Key, pod: PodMetadata, finding: Finding | None) -> bool:
        """Record a finding, unless the pod has changed since; return True if it is new."""
        with self._lock:
            current, _ = self._pending.get(key, (None, 0))
            if current is not pod:
                return False
            before = self._missed.pop(key, None)
            if finding is None:
                del self._pending[key]
                return False
            self._missed[key] = finding.reason
            if finding.reason is before:
                return False
            self._seen[finding.reason] += 1
            return True

    def _report(self, pod: PodMetadata, finding: Finding) -> None:
        reason, message, plan = finding
        log.warning(message, reason=reason, pod=str(pod), plan=str(plan))
        ref = PlanRef(plan.uid, plan.namespace, plan.name)
        related = RelatedPod(pod.namespace, pod.name, pod.uid)
        event = PlanEvent(ref, plan.generation, reason, message, is_warning=True, pod=related)
        self._event_sink(event)


class _NamespaceStore:
    """The pods of one namespace, or of all if it is empty, as the store of a reflector."""

    def __init__(self, pods: PodWatch, namespace: str) -> None:
        self._pods = pods
        self._namespace = namespace
        self.update = pods.update
        self.delete = pods.delete

    def replace(self, items: Iterable[_PodObject]) -> None:
        self._pods.replace(self._namespace, items)


def _is_called(calls: WebhookCalls, pod: PodMetadata) -> bool:
    """Return whether the webhook should have been called for a pod, or that is not known."""
    return calls.includes(pod.namespace, pod.labels) is not False


def _key(item: _PodObject) -> Key:
    return item.metadata.namespace, item.metadata.name
