"""Explanation of a plan's settings on the current cluster: a value, which `webhook.cli` prints.

effective_settings  ───▶ the settings and the source of each
effects             ───▶ what pods get besides a place, in plain English
rules               ───▶ each rule in plain English, and what it matches
pods                ───▶ the plan's convertor pods, and the one to evaluate
webhook.kube.scheduler.run_filters ───▶ every node, and the first reason against it
roles               ───▶ the nodes and zones of each role and of the VMs, and what they share
selected            ───▶ the Services, budgets and others that select the plan's pods
disks               ───▶ where the disks of running migrations are, and their conflicts
advice              ───▶ what to change
"""

from webhook.kube.commands import CURRENT_CONTEXT, KubectlFlags
from webhook.kube.objects import Json, name_of, namespace_of
from webhook.kube.scheduler import Verdict, limitations, run_filters
from webhook.kube.scheduler.resources import requested
from webhook.kube.scheduler.scores import score
from webhook.model import Installation
from webhook.placement.disk_users import build_disk_users, describe_surroundings
from webhook.placement.warnings import find_plan_warnings, find_pod_warnings
from webhook.reports.duplicates import find_duplicates
from webhook.reports.explain.advice import (
    advise_on_duplicates,
    advise_on_exclusions,
    advise_on_new_pod,
    advise_on_pending_pod,
    advise_on_profile,
)
from webhook.reports.explain.amounts import format_amount
from webhook.reports.explain.context import ExplainContext, read_context
from webhook.reports.explain.disks import list_conflicts, list_disk_rows, select_disks
from webhook.reports.explain.effective_settings import list_effective_settings
from webhook.reports.explain.effects import list_effects
from webhook.reports.explain.model import ClusterObjects, Explanation, NodeRow
from webhook.reports.explain.obstacles import find_obstacles
from webhook.reports.explain.pods import (
    build_new_pod,
    is_pending,
    list_placement_problems,
    list_pod_rows,
    recreate,
    select_pods,
)
from webhook.reports.explain.roles import advise_on_roles, find_common_places, list_role_rows
from webhook.reports.explain.rules import list_effective_rules
from webhook.reports.explain.selected import advise_on_selected, list_selected
from webhook.reports.installation import list_limits

__all__ = ["ClusterObjects", "Explanation", "explain"]

_VOLUMES = "volumes: kube-scheduler rejects nodes that cannot access the disks of the pod's VM"

_VM_RESOURCES = "vm: the resources and devices that the VMs of the plan request"


def explain(
    plan_object: Json,
    installation: Installation,
    cluster: ClusterObjects,
    flags: KubectlFlags = CURRENT_CONTEXT,
) -> Explanation:
    """Explain a Plan on a cluster; `flags` select the cluster in commands."""
    context = read_context(plan_object, installation, cluster, flags)
    snapshot = context.snapshot
    pods = select_pods(context.plan, cluster.pods)
    pending = [pod for pod in pods if is_pending(pod)]
    new = build_new_pod(context)
    evaluated, verdicts = new, run_filters(new, snapshot)
    surroundings = describe_surroundings(
        cluster.nodes,
        cluster.pods if cluster.all_pods else None,
        cluster.namespaces or None,
    )
    users = build_disk_users(context.plan, installation, surroundings)
    roles = list_role_rows(context, verdicts, users.vm.pod)
    disks = select_disks(plan_object, cluster.disks)
    advice = advise_on_new_pod(verdicts, context, new)
    if pending:
        evaluated = pending[0]
        verdicts = run_filters(evaluated, snapshot)
        advice = advise_on_pending_pod(verdicts, context, recreate(evaluated, context, new))
    omitted = limitations(evaluated, snapshot)
    selected = list_selected(context, cluster.pod_selectors)
    duplicates = find_duplicates(pods, plan_object)
    return Explanation(
        plan=str(context.plan),
        target_namespace=context.plan.target_namespace,
        mode=context.mode,
        settings=list_effective_settings(context),
        problems=[
            each.for_cluster(flags)
            for each in [*context.plan.settings.problems, *list_placement_problems(context)]
        ],
        warnings=[
            *find_plan_warnings(context.plan, installation),
            *(
                f"{namespace_of(pod)}/{name_of(pod)}: {warning}"
                for pod in pending[:1]
                for warning in find_pod_warnings(pod, context.plan)
            ),
        ],
        limits=[*list_limits(installation, context.plan.namespace)],
        effects=list_effects(context),
        rules=list_effective_rules(context, evaluated),
        evaluated_pod=(
            f"{namespace_of(evaluated)}/{name_of(evaluated)}" if pending else _describe_new(context)
        ),
        requests={name: format_amount(name, each) for name, each in requested(evaluated).items()},
        nodes=_node_rows(verdicts, score(evaluated, snapshot)),
        pods=list_pod_rows(pods, context),
        advice=[
            *advise_on_duplicates(duplicates, context),
            *advise_on_exclusions(context),
            *advise_on_profile(context, cluster.profile_refusal),
            *advice,
            *advise_on_roles(roles, context),
            *advise_on_selected(selected, context),
        ],
        limitations=[
            *(() if pending else (_VOLUMES,)),
            *cluster.webhooks.list_conditions(),
            *omitted,
            *((_VM_RESOURCES,) if roles else ()),
        ],
        unread=cluster.unread,
        excluded="; ".join(map(str, context.exclusions)),
        duplicates=duplicates,
        roles=roles,
        common=find_common_places(roles),
        disks=list_disk_rows(disks, surroundings),
        conflicts=list_conflicts(disks, users, surroundings),
        selected_by=selected,
    )


def _describe_new(context: ExplainContext) -> str:
    if context.unplaced_reason:
        floor = ", with what the installation enforces" if context.has_floor else ""
        return f"a new convertor pod, as Forklift creates it{floor} ({context.unplaced_reason})"
    return "a new convertor pod, as the webhook places it"


def _node_rows(verdicts: list[Verdict], scores: dict[str, int]) -> list[NodeRow]:
    """Return the nodes that fit, by score, then the others."""
    rows = [
        NodeRow(
            verdict.node,
            verdict.fits,
            scores[verdict.node],
            verdict.reasons,
            [each.text for first in verdict.rejections[:1] for each in find_obstacles(first)],
        )
        for verdict in verdicts
    ]
    return sorted(rows, key=lambda row: (not row.fits, -row.score if row.fits else 0))
