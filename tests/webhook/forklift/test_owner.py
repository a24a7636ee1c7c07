"""The plan of a pod is found by the pod's labels or owner references."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.paths import DATA
from webhook.forklift.owner import find_plan_ref
from webhook.kube.objects import Json, nested_map
from webhook.model import PlanRef

PODS = DATA / "pods"
UID = "b277064e-c8ce-430a-99ee-75a0a2a7d0ea"


def pod(labels: Json | None = None, owners: list[Json] | None = None) -> Json:
    return {"metadata": {"labels": labels, "ownerReferences": owners}}


def owner(**changes: str) -> Json:
    return {
        "apiVersion": "forklift.konveyor.io/v1beta1",
        "kind": "Plan",
        "name": "db",
        "uid": UID,
    } | changes


@pytest.mark.parametrize(
    ("pod", "expected"),
    [
        pytest.param(pod({"plan": UID}), PlanRef(uid=UID), id="2.6 to 2.11: the UID alone"),
        pytest.param(
            pod({"plan": UID, "plan-name": "db", "plan-namespace": "mtv"}),
            PlanRef(uid=UID, namespace="mtv", name="db"),
            id="2.12: name and namespace too",
        ),
        pytest.param(
            pod({"plan-name": "db", "plan-namespace": "mtv", "forklift.app/plan": "other"}),
            PlanRef(namespace="mtv", name="db"),
            id="Forklift's label before another",
        ),
        pytest.param(
            pod({"forklift.app/plan": "db"}, [owner(name="other")]),
            PlanRef(name="db"),
            id="a label before an owner",
        ),
        pytest.param(
            pod({"plan": UID, "forklift.app/plan": "db"}),
            PlanRef(uid=UID, name="db"),
            id="every part that is known",
        ),
        pytest.param(
            pod({}, [owner(kind="Migration"), owner(apiVersion="v1"), owner()]),
            PlanRef(uid=UID, namespace="vms", name="db"),
            id="an owner is in the pod's namespace",
        ),
        pytest.param(pod({"app": "x"}, [owner(kind="Pod")]), None, id="no reference"),
        pytest.param(pod({"plan": "", "plan-namespace": "mtv"}), None, id="a namespace alone"),
        pytest.param({"metadata": None}, None, id="no metadata"),
        pytest.param(pod({"plan": 7}, [owner(uid="", name="")]), None, id="wrong types"),
    ],
)
def test_the_reference_is_read_from_labels_and_owners(pod: Json, expected: PlanRef | None) -> None:
    assert find_plan_ref(nested_map(pod, "metadata"), "vms") == expected


@pytest.mark.parametrize("path", sorted(PODS.glob("*.json")), ids=lambda path: path.stem)
def test_every_pod_of_forklift_has_a_reference_to_its_plan(path: Path) -> None:
    pod = json.loads(path.read_text(encoding="utf-8"))
    labels = pod["metadata"]["labels"]

    assert find_plan_ref(nested_map(pod, "metadata"), "") == PlanRef(
        uid=labels["plan"],
        namespace=labels.get("plan-namespace", ""),
        name=labels.get("plan-name", ""),
    )


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda children: (
        st.lists(children, max_size=2)
        | st.dictionaries(
            st.sampled_from(["metadata", "labels", "plan", "ownerReferences", "kind"]), children
        )
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["metadata", "spec"]), json_values))
def test_any_object_has_a_reference_or_none(pod: Json) -> None:
    assert isinstance(find_plan_ref(nested_map(pod, "metadata"), ""), PlanRef | None)
