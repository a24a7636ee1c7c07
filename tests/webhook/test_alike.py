"""A decision that is remembered is the one that would be made again, whatever the pods are."""

from copy import deepcopy
from itertools import product
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.webhook import worlds
from webhook import alike
from webhook.alike import Decisions
from webhook.decide import decide
from webhook.model import Installation, Json, Mode, OnError, Plan, PlanRef, Reason, Request

Case = tuple[Plan, Json]

ODD = st.sampled_from([None, "", "x", 5, True, [], ["x"], {}, {"x": "y"}, {"x": 5}])
PLACES = st.sampled_from(
    [
        ("metadata", "labels", "vmID"),
        ("metadata", "labels", "migration"),
        ("metadata", "labels", "other"),
        ("metadata", "annotations"),
        ("metadata", "namespace"),
        ("metadata", "name"),
        ("spec",),
        ("spec", "nodeSelector"),
        ("spec", "affinity"),
        ("spec", "affinity", "nodeAffinity"),
        ("spec", "tolerations"),
        ("spec", "containers"),
    ]
)
INSTALLATIONS = st.builds(
    Installation,
    mode=st.sampled_from(Mode),
    on_error=st.sampled_from(OnError),
    identity_labels=st.booleans(),
)


def put(pod: Json, path: tuple[str, ...], value: Any) -> Json:
    """Return the pod with a value in place of what is there."""
    pod = deepcopy(pod)
    *parents, field = path
    node = pod
    for parent in parents:
        node = node.setdefault(parent, {})
        if not isinstance(node, dict):
            return pod
    node[field] = value
    return pod


def create(pod: Json, namespace: str = "target") -> Request:
    return Request("u-1", "CREATE", "v1/Pod", namespace, object=pod)


@given(
    worlds.plans_with_pods(),
    st.lists(st.tuples(PLACES, ODD), max_size=4),
    INSTALLATIONS,
)
def test_it_decides_as_if_it_remembered_nothing(
    case: Case, changes: list[tuple[tuple[str, ...], Any]], installation: Installation
) -> None:
    decisions = Decisions(installation)
    plan, pod = case
    ref = PlanRef(plan.uid, plan.namespace, plan.name)
    requests = [create(pod), *(create(put(pod, *change)) for change in changes)]
    for request, nodes in product(requests, (worlds.NODE_VALUES, {})):
        made = decisions(request, ref, plan, nodes)
        assert made == decide(request, ref, plan, installation, nodes)


def test_pods_that_forklift_tells_apart_are_decided_on_once() -> None:
    pods = [
        {"metadata": {"labels": worlds.SYSTEM | {"vmID": f"vm-{n}"}, "generateName": f"db-{n}-"}}
        for n in range(3)
    ]
    plan = Plan("forklift", "db", "0b1c", 1, "target")
    decisions = Decisions(Installation())
    first, *others = (decisions(create(pod), PlanRef("0b1c"), plan, {}) for pod in pods)
    assert all(other is first for other in others)


def test_why_there_is_no_plan_is_not_remembered() -> None:
    decisions = Decisions(Installation())
    request = create({"metadata": {"labels": worlds.SYSTEM}})
    for ref in (PlanRef("0b1c"), PlanRef("1b1c")):
        made = decisions(request, ref, Reason.PLAN_NOT_FOUND, {})
        assert made == decide(request, ref, Reason.PLAN_NOT_FOUND, Installation(), {})


def test_it_never_remembers_more_than_its_limit() -> None:
    decisions = Decisions(Installation())
    plan = Plan("forklift", "db", "0b1c", 1, "target")
    for number in range(2 * alike.LIMIT):
        labels = worlds.SYSTEM | {"n": str(number)}
        decisions(create({"metadata": {"labels": labels}}), PlanRef("0b1c"), plan, {})
        assert len(decisions._made) <= alike.LIMIT
