"""The labels of a placed pod."""

from webhook.forklift.labels import CONVERTOR_VALUE, SYSTEM_LABELS
from webhook.kube import labels as syntax
from webhook.model import Installation, Plan


def place_labels(
    present: dict[str, str], plan: Plan, installation: Installation
) -> tuple[dict[str, str], list[str]]:
    """Return the pod's labels and those that the plan adds, and notes on those that it cannot.

    A label that is present never changes: Forklift 2.12 finds its pod by all labels that it was
    created with, and creates another one where it finds none. So system labels are not added
    either, whatever the settings hold. The identity labels, which rules such as
    `REPEL pods(app=virt-v2v) on zone` and commands go by, are overridden by the plan's.
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
    if syntax.check_value(plan.name) is None:
        labels["forklift.app/plan"] = plan.name
    return labels
