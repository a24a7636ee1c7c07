"""The audit: effective settings, changes in mode enforce, problems and missed pods of all plans.

It runs the stages of a review on the current Plans and pods. The cluster needs no webhook, so it
can be run before one is installed.
"""

from collections import defaultdict

import msgspec

from webhook import settings
from webhook.admission.mutate import decide
from webhook.admission.patch import diff
from webhook.admission.patch_summary import list_changes, summarize
from webhook.forklift.owner import read_plan_ref
from webhook.inventory.index import Key, PlanIndex, key_of
from webhook.kube.commands import CURRENT_CONTEXT, KubectlFlags
from webhook.kube.objects import Json, name_of, namespace_of, spec_of
from webhook.model import (
    Decision,
    Installation,
    MigrationPod,
    Mode,
    NodeValues,
    Outcome,
    Plan,
    Problem,
    Reason,
    Request,
)
from webhook.placement import missed, place
from webhook.placement.missed import EnforcementWindow, PodMetadata
from webhook.reports.duplicates import DuplicatePods, find_duplicates
from webhook.reports.exclusions import InstalledWebhooks
from webhook.reports.model_pod import build_model_pod
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
    change: int
    missed: int
    excluded: int
    """Plans whose settings have no effect, because the webhook is not called for their pods."""
    duplicate: int
    """VMs with several convertor pods."""


class AuditReport(msgspec.Struct, frozen=True, rename="camel"):
    """All plans and convertor pods."""

    plans: list[AuditedPlan]
    pods_without_plan: list[AuditedPod] = msgspec.field(name="strays")

    @property
    def findings(self) -> FindingCounts:
        return FindingCounts(
            problem=sum(len(plan.problems) for plan in self.plans),
            change=sum(plan.change_count for plan in self.plans),
            missed=sum(plan.missed_count for plan in self.plans),
            excluded=sum(bool(plan.excluded and plan.settings) for plan in self.plans),
            duplicate=sum(len(plan.duplicates) for plan in self.plans),
        )


class AuditInput(msgspec.Struct, frozen=True):
    """The contents of a cluster, or of files, that are audited."""

    plans: list[Json]
    pods: list[Json]
    """The whole convertor pods that have not ended."""
    node_values: NodeValues = {}
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
        plan, audited = auditor.audit_pod(pod)
        if isinstance(plan, Plan):
            pods_by_plan[plan.namespace, plan.name].append((pod, audited))
        else:
            pods_without_plan.append(audited)
    plans = sorted(audit_input.plans, key=key_of)
    audited_plans = [auditor.audit_plan(plan, pods_by_plan[key_of(plan)]) for plan in plans]
    return AuditReport(audited_plans, pods_without_plan)


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

    def audit_pod(self, pod: Json) -> tuple[Plan | Reason, AuditedPod]:
        """Return the pod's plan, or the reason why it has none, and the result."""
        metadata = missed.read_metadata(pod["metadata"], self._installation.prefix)
        plan = self._index.find(metadata.ref) if metadata.ref else Reason.NO_PLAN_REFERENCE
        finding = None
        if isinstance(plan, Plan) and self._input.window:
            finding = missed.check_placement(metadata, plan, self._installation, self._input.window)
            if finding and finding.reason is Reason.MISSED and not self._is_called(metadata):
                finding = None
        audited = msgspec.structs.replace(
            _audited_pod(self._decide(pod, plan), str(metadata)),
            node=spec_of(pod).get("nodeName") or "",
            missed=finding.reason if finding else None,
            missed_message=finding.message if finding else "",
        )
        return plan, audited

    def audit_plan(self, plan_object: Json, pods: list[tuple[Json, AuditedPod]]) -> AuditedPlan:
        """Audit a plan; `pods` are its pods and their results."""
        plan = settings.read(plan_object, self._installation)
        mode = resolve_mode(plan, plan.target_namespace, self._installation)
        decision = self._decide(build_model_pod(plan, spec_of(plan_object)), plan)
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
            problems=[each.for_cluster(self._flags) for each in decision.problems],
            pods=sorted((audited for _, audited in pods), key=lambda pod: pod.name) or [next_pod],
            has_pods=bool(pods),
            is_enforced=is_installed and not exclusions and mode.mode is Mode.ENFORCE,
            excluded="; ".join(map(str, exclusions)),
            duplicates=find_duplicates((pod for pod, _ in pods), plan_object),
        )

    def _is_called(self, pod: PodMetadata) -> bool:
        return self._input.webhooks.is_called(pod.namespace, pod.labels) is True

    def _decide(self, pod: Json, plan: Plan | Reason) -> Decision:
        namespace = pod["metadata"].get("namespace") or ""
        request = Request("", "CREATE", "v1/Pod", namespace, object=pod)
        migration_pod = MigrationPod(ref=read_plan_ref(request))
        return decide(request, migration_pod, plan, self._enforcing, self._input.node_values)

    def _summarize_settings(self, plan: Plan) -> str:
        """Return the effective settings, as the changes that they make to an empty pod."""
        empty: Json = {"metadata": {}, "spec": {}}
        installation = msgspec.structs.replace(self._enforcing, identity_labels=False)
        patch = diff(empty, place(empty, plan, installation, self._input.node_values).pod)
        return summarize(patch) if list_changes(patch) else ""


def _audited_pod(decision: Decision, name: str) -> AuditedPod:
    return AuditedPod(
        name=name,
        outcome=decision.outcome,
        reason=decision.reason,
        message=decision.message,
        changes=summarize(decision.patch) if list_changes(decision.patch) else "",
        patch=decision.patch,
    )
