"""Warnings about valid settings that hardly mean what is intended. They change no placement."""

from webhook.forklift.labels import CONVERTOR_LABEL, CONVERTOR_VALUE, SYSTEM_LABELS
from webhook.karl.pod_rule_warnings import find_pod_rule_warnings, list_required_pod_terms
from webhook.kube.affinity_validation import validate_affinity
from webhook.kube.objects import Json, encode, labels_of, spec_of
from webhook.kube.sizes import MAX_POD_ENTRIES, count_items
from webhook.model import Installation, Plan
from webhook.placement import place
from webhook.placement.place_warnings import find_place_warnings
from webhook.placement.role_warnings import find_role_warnings
from webhook.placement.spread_warnings import find_spread_warnings


def find_plan_warnings(plan: Plan, installation: Installation) -> list[str]:
    """Return the warnings about the settings of a plan, each with the plan in front.

    They are found when a plan is validated or shown; reviews of pods do not have them.
    """
    labels = {CONVERTOR_LABEL: CONVERTOR_VALUE}
    pod = {"metadata": {"namespace": plan.target_namespace, "labels": labels}}
    placed = place(pod, plan, installation)
    warnings = [
        *find_pod_rule_warnings(placed.pod),
        *find_role_warnings(plan, installation),
        *find_place_warnings(plan, installation),
        *find_spread_warnings(plan, installation, placed.pod),
        *placed.notes,
    ]
    return [f"Plan {plan}: {warning}" for warning in warnings]


def _is_valid(affinity: Json) -> bool:
    """Return whether an affinity is valid and not so large that this takes long."""
    is_small = count_items(affinity, MAX_POD_ENTRIES) <= MAX_POD_ENTRIES
    return is_small and not validate_affinity(affinity)


def find_pod_warnings(pod: Json, plan: Plan) -> list[str]:
    """Return the warnings about the plan's required pod terms with those that a pod was sent with.

    `pod` is the placed pod, whose affinity may be invalid. Warnings about the plan's terms alone
    are those of the plan, and are not repeated for each of its pods. They do not depend on the
    system labels, in which the pods of a plan differ: these have one response, which is cached.
    """
    planned = list_required_pod_terms(plan.settings.affinity)
    affinity = spec_of(pod).get("affinity") or {}
    if not planned or (terms := list_required_pod_terms(affinity)) == planned:
        return []  # nearly always
    own = {*map(encode, planned)}
    common = [term for term in terms if encode(term) in own]
    if not common or len(common) == len(terms) or not _is_valid(affinity):
        return []
    labels = {
        key: value
        for key, value in labels_of(pod).items()
        if key not in SYSTEM_LABELS or key == CONVERTOR_LABEL
    }
    pod = pod | {"metadata": {"namespace": plan.target_namespace, "labels": labels}}
    alone = pod | {"spec": {"affinity": plan.settings.affinity}}
    known = find_pod_rule_warnings(alone)
    return [
        f"the pod has required pod terms that plan '{plan}' does not have: {warning}"
        for warning in find_pod_rule_warnings(pod)
        if warning not in known
    ]
