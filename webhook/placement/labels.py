"""The labels of a placed pod."""

from kube import labels as syntax
from webhook.model import CONVERTOR_VALUE, SYSTEM_LABELS, Installation, Plan


def place_labels(
    present: dict[str, str], plan: Plan, installation: Installation
) -> tuple[dict[str, str], list[str]]:
    """Return the pod's labels with the plan's, and notes on those that gave way.

    System labels never change, whatever the settings hold. The identity labels, which rules
    such as `REPEL pods(app=virt-v2v) on zone` and commands go by, fill gaps only.
    """
    asked = {key: value for key, value in plan.settings.labels.items() if key not in SYSTEM_LABELS}
    notes = [
        f"label {key}={present[key]} of the pod replaced by {key}={value} of the plan"
        for key, value in asked.items()
        if present.get(key, value) != value
    ]
    identity = _identity(plan) if installation.identity_labels else {}
    return identity | present | asked, notes


def _identity(plan: Plan) -> dict[str, str]:
    labels = {"app": CONVERTOR_VALUE}
    if syntax.check_value(plan.name) is None:
        labels["forklift.app/plan"] = plan.name
    return labels
