"""The Plans of the guide's rows as an API server stores them, and the reviews of their pods."""

from tests.support.reviews import ReviewedPod, review_pod
from tests.system.controlplane.api import Json
from tests.system.guide.forklift import Generation, convertor_pod
from tests.system.guide.rows import Form, Row

UID = "b277064e-c8ce-430a-99ee-75a0a2a7d0ea"


def stored_plan(row: Row, form: Form, generation: Generation) -> Json:
    """Return a row's Plan as the API server of a generation stores it."""
    plan = row.plan(form, "vms")
    plan["metadata"] |= {"uid": UID, "generation": 1}
    if generation is Generation.V2_9:
        plan["spec"] = {k: v for k, v in plan["spec"].items() if not k.startswith("convertor")}
    return plan


def node_values(row: Row) -> dict[str, set[str]]:
    """Return the values that the labels of a row's nodes have."""
    values: dict[str, set[str]] = {}
    for node in row.nodes.values():
        for key, value in node.labels.items():
            values.setdefault(key, set()).add(value)
    return values


def review_row(row: Row, generation: Generation, plan: Json) -> ReviewedPod:
    """Review the convertor pod that a generation creates for a row's Plan."""
    pod = convertor_pod(generation, plan)
    return review_pod(pod, plan, node_values(row), namespace="vms")
