"""The labels of a placed pod."""

from webhook.forklift.labels import CONVERTOR_VALUE, SYSTEM_LABELS
from webhook.kube.labels import check_value
from webhook.model import Installation, Plan


def place_labels(
    present: dict[str, str], plan: Plan, installation: Installation
) -> tuple[dict[str, str], list[str]]:
    """Return the pod's labels with the plan's added, and notes on those that are not applied.

    A label that is present never changes: Forklift 2.12 finds its pod by all labels that it
    created it with, and creates another one if it finds none. System labels are not added
    either. The identity labels, by which rules such as `REPEL pods(app=virt-v2v) on zone` and
    commands select pods, are overridden by the plan's.
    """
    wanted = {key: value for key, value in plan.settings.labels.items() if key not in SYSTEM_LABELS}
    notes = [
        f"label {key}={present[key]} of the pod is kept, {key}={value} of the plan is not applied: "
        "Forklift finds its pods by the labels that it created them with"
        for key, value in wanted.items()
        if present.get(key, value) != value
    ]
    identity = _identity(plan) if installation.identity_labels else {}
    added = {key: value for key, value in wanted.items() if key not in present}
    return identity | present | added, notes


def _identity(plan: Plan) -> dict[str, str]:
    labels = {"app": CONVERTOR_VALUE}
    if check_value(plan.name) is None:
        labels["forklift.app/plan"] = plan.name
    return labels
