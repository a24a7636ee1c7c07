"""The report: what is in force, what enforce would change, what is wrong, and what was missed.

Computed by the very stages of a review, over Plans and pods as they are now. It needs no webhook
in the cluster, so it can be asked before there is one.
"""

from collections import defaultdict

import msgspec

from webhook import settings
from webhook.admission.mutate import decide
from webhook.admission.patch import diff
from webhook.admission.patch_summary import list_changes, summarize
from webhook.forklift.owner import plan_ref
from webhook.inventory.index import Key, PlanIndex, key_of
from webhook.kube.objects import Json, name_of, namespace_of
from webhook.model import (
    Decision,
    Installation,
    Mode,
    NodeValues,
    Outcome,
    Plan,
    Problem,
    Reason,
    Request,
)
from webhook.placement import missed, place
from webhook.placement.missed import EnforcementWindow
from webhook.reports.model_pod import model_pod
from webhook.settings.mode import Origin, resolve_mode


class Pod(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """What enforce would do to a pod."""

    name: str
    """Namespace and name; of a pod that is yet to come the namespace alone."""
    outcome: Outcome
    reason: Reason
    message: str
    gets: str = ""
    """What would change, in short."""
    patch: list[Json] = []
    node: str = ""
    missed: Reason | None = None
    """Why it is not as its plan asks, where it should be."""
    missed_message: str = ""

    @property
    def differs(self) -> bool:
        """Whether enforce would make another pod of it, or none."""
        return bool(self.gets) or self.outcome is Outcome.DENIED


class PlanReport(msgspec.Struct, frozen=True, rename="camel"):
    """A plan and its pods."""

    plan: str
    generation: int
    target_namespace: str
    mode: Mode
    mode_from: Origin
    asks: str
    """Its settings in force, in short."""
    problems: list[Problem]
    pods: list[Pod]
    """Those there are; where there are none, the next one, as Forklift would make it."""
    has_pods: bool
    in_force: bool
    """Whether its next pod will be placed."""

    @property
    def changes(self) -> int:
        """How many pods enforce would change; what is in force is no change to the next one."""
        if self.in_force and not self.has_pods:
            return 0
        return sum(pod.differs for pod in self.pods)

    @property
    def missed(self) -> int:
        return sum(pod.missed is not None for pod in self.pods)


class Findings(msgspec.Struct, frozen=True):
    """How much there is of what a pipeline may fail on."""

    problem: int
    change: int
    missed: int


class Report(msgspec.Struct, frozen=True, rename="camel"):
    """Of all plans and convertor pods."""

    plans: list[PlanReport]
    strays: list[Pod]
    """Convertor pods of no plan that is known."""

    @property
    def findings(self) -> Findings:
        return Findings(
            problem=sum(len(plan.problems) for plan in self.plans),
            change=sum(plan.changes for plan in self.plans),
            missed=sum(plan.missed for plan in self.plans),
        )


class World(msgspec.Struct, frozen=True):
    """What the report is made of."""

    plans: list[Json]
    pods: list[Json]
    """Convertor pods that have not ended, whole."""
    node_values: NodeValues = {}
    installed: bool = False
    """Whether there is a webhook."""
    since: EnforcementWindow | None = None
    """From when on it would have placed pods, where that is known."""


def report(world: World, installation: Installation) -> Report:
    """Report on all plans and pods; of both whatever order, the report has its own."""
    auditor = _Auditor(world, installation)
    of_plans: dict[Key, list[Pod]] = defaultdict(list)
    strays = []
    for pod in sorted(world.pods, key=lambda pod: (namespace_of(pod), name_of(pod))):
        plan, told = auditor.judge(pod)
        if isinstance(plan, Plan):
            of_plans[plan.namespace, plan.name].append(told)
        else:
            strays.append(told)
    plans = sorted(world.plans, key=key_of)
    return Report([auditor.plan(each, of_plans[key_of(each)]) for each in plans], strays)


class _Auditor:
    """Judges by the settings of plans."""

    def __init__(self, world: World, installation: Installation) -> None:
        self._world = world
        self._installation = installation
        self._enforcing = msgspec.structs.replace(
            installation, mode=Mode.ENFORCE, namespace_modes={}, plan_modes=False
        )
        self._index = PlanIndex(installation)
        self._index.replace_all(world.plans)

    def judge(self, pod: Json) -> tuple[Plan | Reason, Pod]:
        """Return a pod's plan, or why it has none, and what is to be said of it."""
        seen = missed.read_metadata(pod["metadata"], self._installation.prefix)
        plan = self._index.find(seen.ref) if seen.ref else Reason.NO_PLAN_REFERENCE
        verdict = None
        if isinstance(plan, Plan) and self._world.since:
            verdict = missed.check_placement(seen, plan, self._installation, self._world.since)
        told = msgspec.structs.replace(
            _told(self._decide(pod, plan), str(seen)),
            node=(pod.get("spec") or {}).get("nodeName") or "",
            missed=verdict.reason if verdict else None,
            missed_message=verdict.message if verdict else "",
        )
        return plan, told

    def plan(self, plan_object: Json, pods: list[Pod]) -> PlanReport:
        """Report on a plan, given what was said of its pods."""
        plan = settings.read(plan_object, self._installation)
        mode = resolve_mode(plan, plan.target_namespace, self._installation)
        following = model_pod(plan, plan_object.get("spec") or {})
        decision = self._decide(following, plan)
        return PlanReport(
            plan=str(plan),
            generation=plan.generation,
            target_namespace=plan.target_namespace,
            mode=mode.mode,
            mode_from=mode.origin,
            asks=self._asks(plan),
            problems=decision.problems,
            pods=sorted(pods, key=lambda pod: pod.name) or [_told(decision, plan.target_namespace)],
            has_pods=bool(pods),
            in_force=self._world.installed and mode.mode is Mode.ENFORCE,
        )

    def _decide(self, pod: Json, plan: Plan | Reason) -> Decision:
        namespace = pod["metadata"].get("namespace") or ""
        request = Request("", "CREATE", "v1/Pod", namespace, object=pod)
        return decide(request, plan_ref(request), plan, self._enforcing, self._world.node_values)

    def _asks(self, plan: Plan) -> str:
        """Return what a plan asks, as what it would give to a pod that has nothing."""
        bare: Json = {"metadata": {}, "spec": {}}
        alone = msgspec.structs.replace(self._enforcing, identity_labels=False)
        patch = diff(bare, place(bare, plan, alone, self._world.node_values).pod)
        return summarize(patch) if list_changes(patch) else ""


def _told(decision: Decision, name: str) -> Pod:
    return Pod(
        name=name,
        outcome=decision.outcome,
        reason=decision.reason,
        message=decision.message,
        gets=summarize(decision.patch) if list_changes(decision.patch) else "",
        patch=decision.patch,
    )
