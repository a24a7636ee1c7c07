"""The audit: effective settings, changes in mode enforce, problems and missed pods of all plans.

Settings beyond the limits are problems, also before the upgrade to a release that has limits.

It runs the stages of a review on the current Plans and pods. The cluster needs no webhook, so it
can be run before one is installed.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping

import msgspec

from webhook import settings
from webhook.admission.mutate import decide
from webhook.admission.patch import diff
from webhook.admission.patch_summary import list_changes, summarize
from webhook.forklift.labels import CONVERTOR_VALUE
from webhook.forklift.roles import decides_place, resolve
from webhook.inventory import NO_PVCS
from webhook.inventory.index import Key, PlanIndex, key_of
from webhook.kube.commands import CURRENT_CONTEXT, KubectlFlags
from webhook.kube.objects import Json, name_of, namespace_of, spec_of
from webhook.model import (
    DEFAULT_ROLES,
    ClusterState,
    Decision,
    Disk,
    Disks,
    Installation,
    Limits,
    MigrationPod,
    Mode,
    Outcome,
    Plan,
    Problem,
    PvcRef,
    Reason,
    Request,
    Role,
    Settings,
)
from webhook.placement import missed, place
from webhook.placement.missed import EnforcementWindow, Observed, PodMetadata
from webhook.placement.role_settings import override
from webhook.reports.duplicates import DuplicatePods, find_duplicates
from webhook.reports.exclusions import InstalledWebhooks
from webhook.reports.explain.model import ConflictRow
from webhook.reports.installation import list_enforced, list_profile
from webhook.reports.model_pod import build_model_pod
from webhook.reports.setting import Setting
from webhook.settings.mode import Origin, resolve_mode


class AuditedPod(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The result of a review of a pod in mode enforce."""

    name: str
    """Namespace and name; the namespace alone for a pod that does not exist yet."""
    outcome: Outcome
    reason: Reason
    message: str
    changes: str = msgspec.field(name="gets", default="")
    """The patch in short."""
    patch: list[Json] = []
    role: Role | None = None
    """Of an unplaced importer that is the role of one that would be created now."""
    node: str = ""
    missed: Reason | None = None
    """MISSED or CHANGED_BACK if the pod should have its placement and has not."""
    missed_message: str = ""

    @property
    def differs(self) -> bool:
        """True if enforce would change or deny the pod."""
        return bool(self.changes) or self.outcome is Outcome.DENIED


class AuditedPlan(msgspec.Struct, frozen=True, rename="camel"):
    """A plan and its pods."""

    plan: str
    generation: int
    target_namespace: str
    mode: Mode
    mode_origin: Origin = msgspec.field(name="modeFrom")
    settings: str = msgspec.field(name="asks")
    """The effective settings, in short."""
    problems: list[Problem]
    pods: list[AuditedPod]
    """The existing pods; if there are none, the next one, as Forklift would create it."""
    has_pods: bool
    is_enforced: bool = msgspec.field(name="inForce")
    """True if the plan's next pod will be placed."""
    excluded: str
    """The reason why the webhook is not called for the target namespace; empty if it is, or if not
    known."""
    duplicates: list[DuplicatePods]
    """The VMs that have several convertor pods at the same time."""
    conflicts: list[ConflictRow] = []
    """Of VMs whose disks are bound where their convertor pod or they themselves cannot run."""

    @property
    def change_count(self) -> int:
        """The number of pods that enforce would change.

        None if it already applies to the next pod, and if the webhook is not called.
        """
        if self.excluded or (self.is_enforced and not self.has_pods):
            return 0
        return sum(pod.differs for pod in self.pods)

    @property
    def missed_count(self) -> int:
        return sum(pod.missed is not None for pod in self.pods)


class FindingCounts(msgspec.Struct, frozen=True):
    """The number of findings of each kind that a pipeline can fail on."""

    problem: int
    limit: int
    """Problems that are settings beyond the limits of the installation."""
    change: int
    missed: int
    excluded: int
    """Plans whose settings have no effect, because the webhook is not called for their pods."""
    duplicate: int
    """VMs with several convertor pods."""
    conflict: int
    """Disks of running migrations that are bound where they cannot be used."""


class AuditReport(msgspec.Struct, frozen=True, rename="camel"):
    """All plans and migration pods."""

    plans: list[AuditedPlan]
    pods_without_plan: list[AuditedPod] = msgspec.field(name="strays")
    given: list[Setting] = msgspec.field(name="installation", default_factory=list)
    """The settings that the installation enforces, and its convertor profiles."""
    has_built_in_limits: bool = msgspec.field(name="builtInLimits", default=True)
    """True if the installation has no limits of its own, but for roles."""

    @property
    def findings(self) -> FindingCounts:
        return FindingCounts(
            problem=sum(len(plan.problems) for plan in self.plans),
            limit=sum(each.beyond_limits for plan in self.plans for each in plan.problems),
            change=sum(plan.change_count for plan in self.plans),
            missed=sum(plan.missed_count for plan in self.plans),
            excluded=sum(bool(plan.excluded and plan.settings) for plan in self.plans),
            duplicate=sum(len(plan.duplicates) for plan in self.plans),
            conflict=sum(len(plan.conflicts) for plan in self.plans),
        )


class AuditInput(msgspec.Struct, frozen=True):
    """The contents of a cluster, or of files, that are audited."""

    plans: list[Json]
    pods: list[Json]
    """The whole migration pods that have not ended; others are left out."""
    find_disk: Callable[[PvcRef], Disk | None] = NO_PVCS.find_disk
    """Returns the disk of a PVC, as it was after the pods were read."""
    cluster: ClusterState = ClusterState()
    conflicts: Mapping[Key, list[ConflictRow]] = {}
    """The conflicts of plans, by namespace and name."""
    webhooks: InstalledWebhooks = InstalledWebhooks()
    """The webhooks of the cluster; none in files, and if they cannot be read."""
    window: EnforcementWindow | None = None
    """The time in which the webhook would have placed pods; None if that is not known."""


def build_report(
    audit_input: AuditInput, installation: Installation, flags: KubectlFlags = CURRENT_CONTEXT
) -> AuditReport:
    """Audit all plans and pods; the report is sorted, whatever the order of the input.

    `flags` select the cluster in commands.
    """
    auditor = _Auditor(audit_input, installation, flags)
    pods_by_plan: dict[Key, list[tuple[Json, AuditedPod]]] = defaultdict(list)
    pods_without_plan = []
    for pod in sorted(audit_input.pods, key=lambda pod: (namespace_of(pod), name_of(pod))):
        for plan, audited in auditor.audit_pod(pod):
            if isinstance(plan, Plan):
                pods_by_plan[plan.namespace, plan.name].append((pod, audited))
            else:
                pods_without_plan.append(audited)
    plans = sorted(audit_input.plans, key=key_of)
    audited_plans = [auditor.audit_plan(plan, pods_by_plan[key_of(plan)]) for plan in plans]
    limits = msgspec.structs.replace(installation.limits, roles=Limits().roles)
    return AuditReport(
        audited_plans,
        pods_without_plan,
        [*_list_given(installation)],
        has_built_in_limits=limits == Limits() and not installation.namespace_limits,
    )


def _list_given(installation: Installation) -> Iterator[Setting]:
    yield from list_enforced(installation)
    general = [*list_profile(installation, "")]
    yield from general
    for namespace in sorted(installation.namespace_convertors):
        yield from (row for row in list_profile(installation, namespace) if row not in general)


class _Auditor:
    """Audits pods and plans in mode enforce, whatever the effective mode is."""

    def __init__(
        self, audit_input: AuditInput, installation: Installation, flags: KubectlFlags
    ) -> None:
        self._input = audit_input
        self._installation = installation
        self._flags = flags
        self._enforcing = msgspec.structs.replace(
            installation, mode=Mode.ENFORCE, namespace_modes={}, plan_modes=False
        )
        self._index = PlanIndex(installation)
        self._index.replace_all(audit_input.plans)

    def audit_pod(self, pod: Json) -> Iterator[tuple[Plan | Reason, AuditedPod]]:
        """Yield the pod's plan, or the reason why it has none, and the result.

        Nothing for a pod that is not of a migration, such as an importer of another user.
        """
        metadata = missed.read_metadata(pod["metadata"], self._installation.prefix)
        if metadata is None:
            return
        disk = self._input.find_disk(metadata.kind.pvc) if metadata.kind.pvc else None
        migration_pod = self._resolve(pod, metadata, disk)
        if migration_pod is None:
            return
        plan = (
            self._index.find(migration_pod.ref) if migration_pod.ref else Reason.NO_PLAN_REFERENCE
        )
        finding = None
        if isinstance(plan, Plan) and self._input.window:
            unbound = disk is not None and decides_place(disk)
            finding = missed.check_placement(
                metadata, plan, self._installation, self._input.window, Observed(disk, unbound)
            )
            if finding and finding.reason is Reason.MISSED and not self._is_called(metadata):
                finding = None
        decision = self._decide_existing(pod, migration_pod, plan)
        yield (
            plan,
            msgspec.structs.replace(
                _audited_pod(decision, str(metadata)),
                node=spec_of(pod).get("nodeName") or "",
                missed=finding.reason if finding else None,
                missed_message=finding.message if finding else "",
            ),
        )

    def _resolve(self, pod: Json, metadata: PodMetadata, disk: Disk | None) -> MigrationPod | None:
        """Return what a review of the pod would recognize it as, if it were created now.

        A placed importer keeps its role, though its disk may have been bound since.
        """
        has_node = missed.may_have_node(metadata) and bool(spec_of(pod).get("nodeName"))
        found = resolve(metadata.kind, pod["metadata"], metadata.namespace, disk, has_node=has_node)
        role = missed.role_of_placed(metadata, self._installation.prefix)
        return found._replace(role=role) if found and role else found

    def audit_plan(self, plan_object: Json, pods: list[tuple[Json, AuditedPod]]) -> AuditedPlan:
        """Audit a plan; `pods` are its pods and their results."""
        plan = settings.read(plan_object, self._installation)
        mode = resolve_mode(plan, plan.target_namespace, self._installation)
        next_convertor = build_model_pod(plan, spec_of(plan_object))
        decision = self._decide(next_convertor, MigrationPod(ref=plan.ref), plan)
        next_pod = _audited_pod(decision, plan.target_namespace)
        exclusions = self._input.webhooks.list_exclusions(plan.target_namespace, self._flags)
        is_installed = bool(self._input.webhooks.selectors)
        return AuditedPlan(
            plan=str(plan),
            generation=plan.generation,
            target_namespace=plan.target_namespace,
            mode=mode.mode,
            mode_origin=mode.origin,
            settings=self._summarize_settings(plan),
            problems=[
                each.for_cluster(self._flags)
                for each in decision.problems or plan.settings.problems
            ],
            pods=sorted((audited for _, audited in pods), key=lambda pod: pod.name) or [next_pod],
            has_pods=bool(pods),
            is_enforced=is_installed and not exclusions and mode.mode is Mode.ENFORCE,
            excluded="; ".join(map(str, exclusions)),
            duplicates=find_duplicates(
                (pod for pod, audited in pods if audited.role is Role.CONVERTOR), plan_object
            ),
            conflicts=self._input.conflicts.get(key_of(plan_object), []),
        )

    def _is_called(self, pod: PodMetadata) -> bool:
        return self._input.webhooks.is_called(pod.namespace, pod.labels) is True

    def _decide_existing(
        self, pod: Json, migration_pod: MigrationPod, plan: Plan | Reason
    ) -> Decision:
        """Decide on an existing pod.

        Its disk may have other siblings than at its creation, so that of two decisions, with and
        without the disk, the one is used that leaves the pod as it is.
        """
        alone = self._decide(pod, migration_pod._replace(disk=None), plan)
        together = isinstance(plan, Plan) and plan.settings.disks is Disks.TOGETHER
        if not (alone.patch and migration_pod.disk and together):
            return alone
        with_disk = self._decide(pod, migration_pod, plan)
        is_unchanged = with_disk.outcome is Outcome.UNCHANGED
        return with_disk if is_unchanged else alone

    def _decide(self, pod: Json, migration_pod: MigrationPod, plan: Plan | Reason) -> Decision:
        namespace = pod["metadata"].get("namespace") or ""
        request = Request("", "CREATE", "v1/Pod", namespace, object=pod)
        return decide(request, migration_pod, plan, self._enforcing, self._input.cluster)

    def _summarize_settings(self, plan: Plan) -> str:
        """Return the effective settings, as the changes that they make to an empty pod."""
        settings = plan.settings
        roles = ",".join(settings.pods)
        texts = [
            "" if settings.pods == DEFAULT_ROLES else f"pods {roles}",
            self._summarize(plan, settings),
            *(
                f"{role}: {self._summarize(plan, override(Settings(), own)) or 'nothing'}"
                for role, own in settings.roles.items()
                if role in settings.pods
            ),
            "" if settings.disks is Disks.ANY else f"disks {settings.disks}",
        ]
        return "; ".join(filter(None, texts))

    def _summarize(self, plan: Plan, settings: Settings) -> str:
        empty: Json = {"metadata": {}, "spec": {"containers": [{"name": CONVERTOR_VALUE}]}}
        installation = Installation(prefix=self._installation.prefix, identity_labels=False)
        general = msgspec.structs.replace(settings, pods=(Role.CONVERTOR,), roles={})
        of_convertor = msgspec.structs.replace(plan, settings=general)
        placed = place(empty, of_convertor, installation, self._input.cluster)
        patch = diff(empty, placed.pod)
        return summarize(patch) if list_changes(patch) else ""


def _audited_pod(decision: Decision, name: str) -> AuditedPod:
    return AuditedPod(
        name=name,
        outcome=decision.outcome,
        reason=decision.reason,
        message=decision.message,
        changes=summarize(decision.patch) if list_changes(decision.patch) else "",
        patch=decision.patch,
        role=decision.role,
    )
