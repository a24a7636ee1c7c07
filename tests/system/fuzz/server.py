"""The webhook in this process: its real application, index and reporter, without a network."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from webhook.admission import events
from webhook.admission.events import Occurrences, PlanEvent
from webhook.forklift.plan import WatchedPlan
from webhook.inventory import NO_PVCS, NoPriorityClasses, NoPvcs, PlansStatus, Pvcs
from webhook.inventory.index import PlanIndex
from webhook.inventory.pvc_index import PvcIndex
from webhook.model import Disk, Installation, NodeValues, Plan, PlanRef, PvcRef, Reason
from webhook.server import app
from webhook.server.pod_reviews import PodReviewHandler
from webhook.telemetry import logs
from webhook.telemetry.metrics import Metrics
from webhook.telemetry.reporter import Reporter

NODE_VALUES: NodeValues = {
    "memory": [f"{size}Gi" for size in (16, 32, 64, 128, 256)],
    "cores": ["8", "16", "32", "many"],
}
"""Values of node labels that minimums such as `memory=64Gi+` compare."""

decode_plan = msgspec.json.Decoder(WatchedPlan).decode


class IndexedPlans:
    """A source of plans whose watch has delivered all of them."""

    def __init__(self, installation: Installation, node_values: NodeValues = NODE_VALUES) -> None:
        self.index = PlanIndex(installation)
        self.node_values = node_values

    def put(self, encoded: bytes) -> None:
        """Deliver a Plan as the watch does, unless it is not one."""
        self.index.put(decode_plan(encoded).to_json())

    def find(self, ref: PlanRef) -> Plan | Reason:
        return self.index.find(ref)

    async def fetch(self, ref: PlanRef, seconds: float) -> Plan | Reason:
        """Return what the index has: a GET would find nothing else."""
        return self.index.find(ref)

    def status(self) -> PlansStatus:
        return PlansStatus(synced=True, age_seconds=0, count=len(self.index), invalid=0)

    def start(self) -> None: ...
    def stop(self) -> None: ...


class IndexedPvcs(NoPvcs):
    """A source of PVCs whose watch has delivered all of them; their creation is their age."""

    def __init__(self) -> None:
        self.index = PvcIndex(float)

    def find_disk(self, pvc: PvcRef) -> Disk | None:
        return self.index.find_disk(pvc)


class KnownPriorityClasses(NoPriorityClasses):
    """A source of PriorityClasses whose watch has delivered all of them."""

    names = frozenset({"migration", "low"})


class EventEncoder:
    """Builds the object of each Event, as the recorder's thread does."""

    def __call__(self, event: PlanEvent, times: int = 1) -> None:
        name = events.derive_name(event, "replica")
        msgspec.json.encode(events.build_object(event, name, "replica", Occurrences(times, "", "")))


class FuzzReporter(Reporter):
    """The server's reporter, which also keeps internal errors."""

    def __init__(self) -> None:
        super().__init__(Metrics(), EventEncoder())
        self.errors: list[Exception] = []

    def report_error(self, uid: str, error: Exception) -> None:
        super().report_error(uid, error)
        self.errors.append(error)


class Server:
    """The application with some plans."""

    def __init__(
        self,
        plans: IndexedPlans,
        installation: Installation,
        reporter: FuzzReporter | None = None,
        pvcs: Pvcs = NO_PVCS,
    ) -> None:
        self.plans = plans
        self.reporter = reporter or FuzzReporter()
        self._app = app.build(
            PodReviewHandler(plans, installation, pvcs, KnownPriorityClasses()),
            installation,
            self.reporter,
            100,
        )

    async def post(
        self,
        path: str,
        body: bytes,
        query: bytes = b"timeout=100ms",
        headers: Sequence[tuple[bytes, bytes]] = (),
    ) -> tuple[int, bytes]:
        """Send a request whose body arrives at once, and return status and body of the response."""
        scope = {
            "type": "http",
            "method": "POST",
            "path": path,
            "query_string": query,
            "headers": [*headers],
        }
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        await self._app(scope, receive, send)
        start, end = sent
        return start["status"], end["body"]


def write_logs_to(form: logs.Format) -> None:
    """Write log lines of every level, and discard what is written."""
    logs.configure(form, logs.Level.DEBUG, _DISCARDED)


_DISCARDED = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - as stderr, until the end
