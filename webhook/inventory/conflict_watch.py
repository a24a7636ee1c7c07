"""Search for conflicts: disks that are bound where the convertor pod or the VM cannot run."""

import threading
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

import msgspec
import structlog

from webhook.admission.events import PlanEvent
from webhook.forklift.progress import Progress
from webhook.inventory import Plans, VmDisk, VmDisks, VmRef, have_known_place, plan_of
from webhook.inventory.progress import read_progress
from webhook.inventory.surroundings import SurroundingsReader
from webhook.kube.api.client import Client
from webhook.kube.api.errors import ApiError
from webhook.kube.objects import Json, encode
from webhook.model import Installation, Mode, Plan, PlanRef, Reason
from webhook.placement.conflicts import Conflict, ConflictKind, ConflictSearch
from webhook.placement.disk_users import build_disk_users, describe_surroundings, list_pod_terms
from webhook.settings.mode import mode_of

log = structlog.get_logger()

MAX_VMS_PER_CHECK = 200
"""The others wait for the next check, so that reviews are not delayed."""
MAX_BACKOFF_SECONDS = 60.0
"""Between two checks while they fail."""


class ConflictTiming(NamedTuple):
    """The intervals of the checks."""

    check_interval_seconds: float = 1.0
    """Between two checks of VMs whose disks have changed."""
    renewal_interval_seconds: float = 30.0
    """Between two looks at what else may have changed: plans, nodes, pods, and the end of a
    migration."""
    nodes_reuse_seconds: float = 10.0
    """The time in which a list of nodes is reused."""
    repeat_seconds: float = 3600.0
    """Between two Events about a conflict: the API server deletes them after an hour."""


class ConflictsStatus(msgspec.Struct, frozen=True):
    """The state of the search."""

    count: int
    """The number of VMs that have a conflict."""
    message: str = ""
    """The error of the last check; empty if there is none."""


class _Seen(NamedTuple):
    """A VM with a bound disk that not every node reaches, as it was checked last."""

    plan: PlanRef
    stamp: int
    """A hash of the plan."""
    needs_pods: bool
    """True if the result depends on pods."""


class ConflictWatch:
    """Checks the disks of each VM when they change, and again when the cluster or its plan does.

    It does so in a thread of its own. Nodes are listed when a check needs them, at most once in
    some seconds; a Plan is read only if one of its VMs has a conflict, to see if its migration
    has ended: PVCs keep their labels for the life of the VM.
    """

    def __init__(  # noqa: PLR0913 - what it reads, and where it reports
        self,
        cluster: Client,
        hub: Client,
        disks: VmDisks,
        plans: Plans,
        installation: Installation,
        *,
        event_sink: Callable[[PlanEvent], None],
        timing: ConflictTiming | None = None,
        lists_pods: bool = False,
    ) -> None:
        """Subscribe to the disks, which are to be started later; start nothing.

        `cluster` has the pods and nodes, `hub` the Plans. Rules on pods are evaluated only if the
        pods of all namespaces may be listed.
        """
        self._surroundings = SurroundingsReader(cluster)
        self._hub = hub
        self._disks = disks
        self._plans = plans
        self._installation = installation
        self._event_sink = event_sink
        self._timing = timing or ConflictTiming()
        self._lists_pods = lists_pods
        self._due: dict[VmRef, None] = {}
        self._due_lock = threading.Lock()
        self._seen: dict[VmRef, _Seen] = {}
        self._ended: set[VmRef] = set()
        """VMs with a conflict whose migration has ended."""
        self._conflicts: dict[VmRef, dict[ConflictKind, float]] = {}
        """The conflicts of each VM, and the time of the last Event about each."""
        self._renewed = time.monotonic()
        self._renewed_nodes: list[Json] = []
        self._message = ""
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="placement conflicts", daemon=True)
        disks.subscribe(self._add_due)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()

    def status(self) -> ConflictsStatus:
        """Return the current state."""
        return ConflictsStatus(len(self._conflicts), self._message)

    def _add_due(self, vm: VmRef) -> None:
        with self._due_lock:
            self._due[vm] = None

    def _take_due(self) -> list[VmRef]:
        with self._due_lock:
            taken = list(self._due)[:MAX_VMS_PER_CHECK]
            for vm in taken:
                del self._due[vm]
        return taken

    def _run(self) -> None:
        seconds = self._timing.check_interval_seconds
        while not self._stopped.wait(seconds):
            try:
                self.renew()
                self.check()
            except ApiError as error:
                seconds = min(2 * seconds, MAX_BACKOFF_SECONDS)
                self._set_message(str(error))
            except Exception:  # an internal error; the next check may succeed
                seconds = min(2 * seconds, MAX_BACKOFF_SECONDS)
                log.exception("looking for placement conflicts failed")
            else:
                seconds = self._timing.check_interval_seconds
                self._set_message("")

    def _set_message(self, error: str) -> None:
        """Log an error once, until there is another one."""
        if error and error != self._message:
            log.warning("looking for placement conflicts failed", reason=error)
        self._message = error

    def renew(self) -> None:
        """Let VMs be checked again for which something else than their disks has changed.

        Raises:
            ApiError: the nodes cannot be listed.

        """
        now = time.monotonic()
        if not self._seen or now < self._renewed + self._timing.renewal_interval_seconds:
            return
        before, self._renewed_nodes = self._renewed_nodes, self._surroundings.list_nodes()
        self._renewed = now
        plans = {seen.plan for seen in self._seen.values()}
        stamps = {plan: _stamp(self._plans.find(plan)) for plan in plans}
        for vm, seen in self._seen.items():
            if (
                self._renewed_nodes != before
                or vm in self._conflicts
                or seen.needs_pods
                or seen.stamp != stamps[seen.plan]
            ):
                self._add_due(vm)

    def check(self) -> None:
        """Check VMs that are due.

        Raises:
            ApiError: nodes, pods or a Plan cannot be read; the VMs stay due.

        """
        due = self._take_due()
        try:
            self._check(due)
        except Exception:
            for vm in due:
                self._add_due(vm)
            raise

    def _check(self, due: Iterable[VmRef]) -> None:
        by_plan: dict[str, tuple[Plan, dict[VmRef, list[VmDisk]]]] = {}
        for vm in due:
            disks = self._disks.list_disks(vm)
            ref = plan_of(disks)
            plan = self._plans.find(ref) if ref else Reason.NO_PLAN_REFERENCE
            if plan is Reason.PLANS_NOT_SYNCED:
                self._add_due(vm)
            elif not isinstance(plan, Plan) or not self._is_checked(plan, disks):
                self._forget(vm, is_gone=not disks)
            elif vm not in self._ended:
                by_plan.setdefault(str(plan), (plan, {}))[1][vm] = disks
        for plan, vms in by_plan.values():
            self._check_plan(plan, vms)

    def _is_checked(self, plan: Plan, disks: list[VmDisk]) -> bool:
        mode = mode_of(plan, plan.target_namespace, self._installation)
        return mode is not Mode.OFF and have_known_place(disks)

    def _check_plan(self, plan: Plan, vms: dict[VmRef, list[VmDisk]]) -> None:
        nodes = self._surroundings.read_nodes(self._timing.nodes_reuse_seconds)
        surroundings = describe_surroundings(nodes, [] if self._lists_pods else None)
        users = build_disk_users(plan, self._installation, surroundings)
        terms = list_pod_terms(users.convertor) + list_pod_terms(users.vm)
        if terms:
            surroundings = describe_surroundings(nodes, self._surroundings.list_pods(terms))
        search = ConflictSearch(users, surroundings)
        found: dict[VmRef, list[Conflict]] = {}
        for vm, disks in vms.items():
            found[vm] = search.find(vm.vm, (disk.as_sibling() for disk in disks))
        progress = read_progress(self._hub, plan) if any(found.values()) else Progress()
        stamp = _stamp(plan)
        for vm, conflicts in found.items():
            if conflicts and progress.has_ended(vm.migration, vm.vm):
                self._forget(vm)
                self._ended.add(vm)
            else:
                self._seen[vm] = _Seen(plan.ref, stamp, needs_pods=bool(terms))
                self._record(vm, plan, conflicts)

    def _forget(self, vm: VmRef, *, is_gone: bool = False) -> None:
        self._seen.pop(vm, None)
        if is_gone:
            self._ended.discard(vm)
        if self._conflicts.pop(vm, None):
            log.info("placement conflicts have ended", namespace=vm.namespace, vm=vm.vm)

    def _record(self, vm: VmRef, plan: Plan, conflicts: list[Conflict]) -> None:
        """Record the conflicts of a VM, and report those that are new."""
        before, now = self._conflicts.get(vm, {}), time.monotonic()
        after: dict[ConflictKind, float] = {}
        for conflict in conflicts:
            reported = before.get(conflict.kind)
            if reported is None:
                log.warning(
                    conflict.message,
                    reason=Reason.PLACEMENT_CONFLICT,
                    plan=str(plan),
                    namespace=vm.namespace,
                    vm=vm.vm,
                )
            if reported is None or now > reported + self._timing.repeat_seconds:
                reported = now
                self._event_sink(
                    PlanEvent(
                        plan.ref,
                        plan.generation,
                        Reason.PLACEMENT_CONFLICT,
                        conflict.message,
                        is_warning=True,
                    )
                )
            after[conflict.kind] = reported
        if before and not after:
            log.info(
                "placement conflicts are resolved",
                plan=str(plan),
                namespace=vm.namespace,
                vm=vm.vm,
            )
        if after:
            self._conflicts[vm] = after
        else:
            self._conflicts.pop(vm, None)


def _stamp(plan: Plan | Reason) -> int:
    return hash(encode(plan))
