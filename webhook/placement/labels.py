"""The labels of a placed pod."""

from webhook.forklift.labels import is_reserved_label
from webhook.model import Settings


def place_labels(
    present: dict[str, str],
    settings: Settings,
    added: dict[str, str],
    prefix: str,
) -> tuple[dict[str, str], list[str]]:
    """Return the pod's labels with the plan's added, and notes on those that are not applied.

    A label that is present never changes: Forklift 2.12 finds its pod by all labels that it
    created it with, and creates another one if it finds none. Reserved labels are not added
    either. `added` are the webhook's own labels, by which rules and commands select pods; they
    are overridden by the plan's.
    """
    wanted = {
        key: value for key, value in settings.labels.items() if not is_reserved_label(key, prefix)
    }
    notes = [
        f"label {key}={present[key]} of the pod is kept, {key}={value} of the plan is not applied: "
        "Forklift finds its pods by the labels that it created them with"
        for key, value in wanted.items()
        if present.get(key, value) != value
    ]
    missing = {key: value for key, value in wanted.items() if key not in present}
    return added | present | missing, notes
