"""The convertor pods of the cluster, watched for those that were missed."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import msgspec
import structlog

from webhook.admission.events import PlanEvent, RelatedPod
from webhook.forklift.labels import CONVERTOR_LABEL, CONVERTOR_VALUE
from webhook.inventory import Plans
from webhook.inventory.index import TIME_FORMAT, Key
from webhook.kube.api import reflector
from webhook.kube.api.client import Client
from webhook.kube.api.collection import Collection
from webhook.model import (
    Installation,
    Plan,
    PlanRef,
    Reason,
)
from webhook.placement import missed
from webhook.placement.missed import EnforcementWindow, Finding, PodMetadata

log = structlog.get_logger()

PATH = "/api/v1/pods"
QUERY = {
    "labelSelector": f"{CONVERTOR_LABEL}={CONVERTOR_VALUE}",
    "fieldSelector": "status.phase!=Succeeded,status.phase!=Failed",
}
"""A pod that has ended goes, as if it were deleted: nothing can be done about it any more."""


OUTAGE = timedelta(minutes=2)
"""How long before the start a pod may have been placed to prove that the mode was the same since.

To change the mode of an installation and to change it back are two rollouts of its Deployment,
with a pod in between; nothing that a server can read tells of them.
"""


class Timing(NamedTuple):
    """In seconds."""

    grace: float = 5.0
    """From the first sight of a pod to its judgement: its plan may be seen after it."""
    every: float = 2.0
    """Between two looks at the pods that are still to be judged."""
    watch: reflector.Timing = reflector.Timing()


class PodsStatus(msgspec.Struct, frozen=True):
    """What is known of the convertor pods, and what is wrong with them."""

    synced: bool
    age_seconds: float
    """Since the API server last confirmed what is known."""
    restarts: int
    """Of the watch, after failures, ever."""
    message: str
    """What is wrong with the watch; empty when nothing is."""
    count: int = 0
    """Pods that have not ended."""
    missed: Mapping[Reason, int] = {}
    """How many of them are missed now, by reason."""
    seen: Mapping[Reason, int] = {}
    """How many have been, ever."""


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
    """Looks at every convertor pod once its plan should be known, and again when it changes.

    Only metadata is asked for, and nothing is kept of a pod that is as it should be.
    """

    def __init__(
        self,
        client: Client,
        plans: Plans,
        installation: Installation,
        tell: Callable[[PlanEvent], None],
        timing: Timing | None = None,
    ) -> None:
        self._client = client
        self._plans = plans
        self._installation = installation
        self._tell = tell
        self._timing = timing or Timing()
        self._changing = threading.Lock()
        self._known: set[Key] = set()
        self._open: dict[Key, tuple[PodMetadata, float]] = {}
        """Pods that are still to be judged, or are missed, and when they were first seen so."""
        self._missed: dict[Key, Reason] = {}
        self._seen = Counter[Reason]()
        self._since: EnforcementWindow | None = None
        self._stopped = threading.Event()
        pods = Collection(client, PATH, _PodObject, QUERY, metadata_only=True)
        self._reflector = reflector.Reflector(pods, self, self._timing.watch)
        self._thread = threading.Thread(target=self._run, name="missed pods", daemon=True)

    def start(self) -> None:
        """Begin to list, to watch and to judge."""
        self._reflector.start()
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._reflector.stop()

    def status(self) -> PodsStatus:
        """Return what is known now."""
        with self._changing:
            now = Counter(self._missed.values())
            return PodsStatus(*self._reflector.status(), len(self._known), now, Counter(self._seen))

    def replace(self, items: Iterable[_PodObject]) -> None:
        """Take all pods that there are."""
        gone = set(self._known)
        for item in items:
            gone.discard(_key(item))
            self.put(item)
        for key in gone:
            self._forget(key)
        if self._since is None:
            server = datetime.now(UTC) + self._client.clock_offset
            start, reach = (each.strftime(TIME_FORMAT) for each in (server, server - OUTAGE))
            self._since = EnforcementWindow(start, reach)

    def put(self, item: _PodObject) -> None:
        """Take a pod that is new or has changed."""
        key = _key(item)
        pod = missed.read_metadata(msgspec.to_builtins(item.metadata), self._installation.prefix)
        with self._changing:
            _, first = self._open.get(key, (None, time.monotonic()))
            self._open[key] = pod, first
            self._known.add(key)

    def discard(self, item: _PodObject) -> None:
        """Forget a pod that is gone or has ended."""
        self._forget(_key(item))

    def _forget(self, key: Key) -> None:
        with self._changing:
            self._known.discard(key)
            self._open.pop(key, None)
            self._missed.pop(key, None)

    def _run(self) -> None:
        while not self._stopped.wait(self._timing.every):
            try:
                self.look()
            except Exception:  # a fault of ours; the next pod may be another case
                log.exception("looking for missed pods failed")

    def look(self) -> None:
        """Judge all pods whose time has come."""
        since = self._since
        if since is None:
            return
        latest = time.monotonic() - self._timing.grace
        with self._changing:
            due = [(key, pod) for key, (pod, first) in self._open.items() if first <= latest]
        for key, pod in sorted(due, key=lambda each: not each[1].placement):
            plan = self._plans.find(pod.ref) if pod.ref else Reason.NO_PLAN_REFERENCE
            if plan is Reason.PLANS_NOT_SYNCED:
                continue
            verdict = None
            if isinstance(plan, Plan):
                verdict = missed.check_placement(pod, plan, self._installation, since)
            if self._settle(key, pod, verdict) and verdict:
                self._report(pod, verdict)

    def _settle(self, key: Key, pod: PodMetadata, verdict: Finding | None) -> bool:
        """Keep a verdict, unless the pod has changed meanwhile; return whether it is news."""
        with self._changing:
            judged, _ = self._open.get(key, (None, 0))
            if judged is not pod:
                return False
            before = self._missed.pop(key, None)
            if verdict is None:
                del self._open[key]
                return False
            self._missed[key] = verdict.reason
            if verdict.reason is before:
                return False
            self._seen[verdict.reason] += 1
            return True

    def _report(self, pod: PodMetadata, verdict: Finding) -> None:
        reason, message, plan = verdict
        log.warning(message, reason=reason, pod=str(pod), plan=str(plan))
        ref = PlanRef(plan.uid, plan.namespace, plan.name)
        about = RelatedPod(pod.namespace, pod.name, pod.uid)
        self._tell(PlanEvent(ref, plan.generation, reason, message, is_warning=True, pod=about))


def _key(item: _PodObject) -> Key:
    return item.metadata.namespace, item.metadata.name
