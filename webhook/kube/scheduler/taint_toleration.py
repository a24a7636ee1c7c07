"""TaintToleration: taints that the pod does not tolerate."""

from webhook.kube.objects import Json, spec_of
from webhook.kube.scheduler.plugin import Filter, Rejection
from webhook.kube.scheduler.snapshot import Snapshot

PLUGIN = "TaintToleration"

_REASONS = ["node(s) had untolerated taint(s)"]
_EFFECTS = ("NoSchedule", "NoExecute")


def taint_toleration(pod: Json, _snapshot: Snapshot) -> Filter:
    """Reject nodes by their taints; the causes are the taints."""
    tolerations = spec_of(pod).get("tolerations") or []

    def reject(node: Json) -> Rejection | None:
        taints = [
            taint
            for taint in spec_of(node).get("taints") or ()
            if taint["effect"] in _EFFECTS
            and not any(tolerates(toleration, taint) for toleration in tolerations)
        ]
        return Rejection(PLUGIN, _REASONS, taints) if taints else None

    return reject


def tolerates(toleration: Json, taint: Json) -> bool:
    """Return whether a toleration matches a taint. The alpha operators `Gt` and `Lt` never do."""
    effect, key = toleration.get("effect"), toleration.get("key")
    if (effect and effect != taint["effect"]) or (key and key != taint["key"]):
        return False
    match toleration.get("operator"):
        case None | "" | "Equal":
            return (toleration.get("value") or "") == (taint.get("value") or "")
        case "Exists":
            return True
    return False
