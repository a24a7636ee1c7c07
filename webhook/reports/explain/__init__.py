"""What a plan's settings mean on a cluster as it is now: a value, to be printed by `webhook.cli`.

sources  ───▶ the settings in force and where they come from
rules    ───▶ each rule in words, and what it matches
pods     ───▶ the convertor pods there are, and the one to judge
webhook.kube.scheduler.judge ───▶ every node, and the first reason against it
advice   ───▶ what to change
"""

from webhook.kube.objects import Json, name_of, namespace_of
from webhook.kube.scheduler import Verdict, limitations, run_filters
from webhook.kube.scheduler.resources import requested
from webhook.kube.scheduler.scores import score
from webhook.model import Installation, Mode
from webhook.reports.explain.advice import advise_on_new, advise_on_waiting
from webhook.reports.explain.amounts import amount_text
from webhook.reports.explain.context import read_case
from webhook.reports.explain.effective_settings import effective_settings
from webhook.reports.explain.model import Cluster, Explanation, Node
from webhook.reports.explain.obstacles import of_rejection
from webhook.reports.explain.pods import is_waiting, new_pod, pods_of, renewed, told
from webhook.reports.explain.rules import rules_in_force

__all__ = ["Cluster", "Explanation", "explain"]

_NEW = {
    Mode.ENFORCE: "a new convertor pod, as the webhook places it",
    Mode.AUDIT: "a new convertor pod, as Forklift makes it: the mode is audit",
    Mode.OFF: "a new convertor pod, as Forklift makes it: the mode is off",
}

_VOLUMES = "volumes: kube-scheduler rejects nodes that cannot access the disks of the pod's VM"


def explain(plan_object: Json, installation: Installation, cluster: Cluster) -> Explanation:
    """Explain a Plan on a cluster."""
    case = read_case(plan_object, installation, cluster)
    snapshot = case.snapshot
    own = pods_of(case.plan, cluster.pods)
    waiting = [pod for pod in own if is_waiting(pod)]
    new = new_pod(case)
    judged, verdicts = new, run_filters(new, snapshot)
    advice = advise_on_new(verdicts, case, new)
    if waiting:
        judged = waiting[0]
        verdicts = run_filters(judged, snapshot)
        advice = advise_on_waiting(verdicts, case, renewed(judged, case, new))
    left_out = limitations(judged, snapshot)
    return Explanation(
        plan=str(case.plan),
        target_namespace=case.plan.target_namespace,
        mode=case.mode,
        settings=effective_settings(case),
        problems=case.plan.settings.problems,
        rules=rules_in_force(case, judged),
        judged=f"{namespace_of(judged)}/{name_of(judged)}" if waiting else _NEW[case.mode],
        asks={name: amount_text(name, amount) for name, amount in requested(judged).items()},
        nodes=_nodes(verdicts, score(judged, snapshot)),
        pods=told(own, case),
        advice=advice,
        unjudged=left_out if waiting else [_VOLUMES, *left_out],
        unread=cluster.unread,
    )


def _nodes(verdicts: list[Verdict], earned: dict[str, int]) -> list[Node]:
    """Return first the nodes that fit, the most preferred before the others."""
    found = [
        Node(
            verdict.node,
            verdict.fits,
            earned[verdict.node],
            verdict.reasons,
            [each.text for said in verdict.rejections[:1] for each in of_rejection(said)],
        )
        for verdict in verdicts
    ]
    return sorted(found, key=lambda node: (not node.fits, -node.points if node.fits else 0))
