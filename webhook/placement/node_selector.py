"""The node selector of a placed pod."""

from webhook.karl import minimums
from webhook.kube.objects import Json
from webhook.model import Settings


def place_node_selector(
    present: dict[str, str], settings: Settings
) -> tuple[dict[str, str], list[Json], list[str]]:
    """Return the selector, the expressions moved out of it, and notes on replaced values.

    Forklift 2.10 and later copy `cpu-cores: 16+` from the plan into the pod, which the API
    server would reject: such a value is removed and returned as a node expression. The plan's
    value of a key replaces the pod's.
    """
    required = {expression["key"]: expression for expression in settings.node_requirements}
    selector: dict[str, str] = {}
    moved: list[Json] = []
    notes: list[str] = []
    for key, value in present.items():
        expression = minimums.read_minimum(key, value)
        if key in settings.node_selector:
            selector[key] = settings.node_selector[key]
            if selector[key] != value:
                notes.append(_note(key, value, f"{key}={selector[key]}"))
        elif key in required:
            if required[key] != expression:
                notes.append(_note(key, value, _text(required[key])))
        elif expression:
            moved.append(expression)
        else:
            selector[key] = value
    return selector | settings.node_selector, moved, notes


def _note(key: str, value: str, instead: str) -> str:
    return f"node selector {key}={value} of the pod replaced by {instead} of the plan"


def _text(expression: Json) -> str:
    return f"{expression['key']} {expression['operator']} {','.join(expression['values'])}"
