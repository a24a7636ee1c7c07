"""`explain` names what selects the pods of a plan, as far as the rights of its user permit."""

import json
from collections.abc import Iterator

import pytest

from tests.system.controlplane.api import Api, Json
from tests.system.controlplane.cluster import ControlPlane
from tests.system.controlplane.release import Release
from tests.system.e2e.kubectl import Kubectl
from tests.system.e2e.pod_results import created
from tests.system.e2e.preparation import PLACED, use_generation
from tests.system.guide.forklift import Generation
from tests.system.guide.rows import PLAN_NAMESPACE, PREFIX, ROWS, Form

READER = "explains-plans"
TIER = {"matchLabels": {"tier": "web"}}
CONTAINER = {"name": "main", "image": "none"}
SPECS: dict[str, tuple[str, Json]] = {
    "Service": ("v1", {"selector": {"tier": "web"}, "ports": [{"port": 80}]}),
    "ReplicaSet": (
        "apps/v1",
        {
            "replicas": 0,
            "selector": TIER,
            "template": {
                "metadata": {"labels": {"tier": "web"}},
                "spec": {"containers": [CONTAINER]},
            },
        },
    ),
    "PodDisruptionBudget": ("policy/v1", {"selector": TIER, "minAvailable": 1}),
    "NetworkPolicy": ("networking.k8s.io/v1", {"podSelector": {}, "policyTypes": ["Egress"]}),
}
EXPLAIN = ("convertor", "explain", "plan", "selected", "-n", PLAN_NAMESPACE, "-o", "json")


@pytest.fixture
def selecting(api: Api, release: Release) -> Iterator[None]:
    """Create an object of each kind in a namespace of the webhook, and the plan."""
    use_generation(release, Generation.V2_12)
    plan = ROWS["labels"].plan(Form.ANNOTATIONS, PLACED)
    settings = {"labels": "tier=web", "pods": "convertor"}
    annotations = {f"{PREFIX}/{name}": text for name, text in settings.items()}
    plan["metadata"] |= {"name": "selected", "annotations": annotations}
    for kind, (version, spec) in SPECS.items():
        metadata = {"name": "web", "namespace": PLACED}
        api.create({"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec})
    try:
        with created(api, plan):
            yield
    finally:
        for kind in SPECS:
            api.delete(kind, "web", PLACED)


@pytest.mark.usefixtures("selecting")
def test_objects_that_select_the_pods_are_named_with_the_label_of_the_plan(
    plane: ControlPlane,
) -> None:
    found = json.loads(Kubectl(plane).done(*EXPLAIN))
    assert [(row["kind"], row["labels"]) for row in found["selectedBy"]] == [
        ("PodDisruptionBudget", ["tier=web"]),
        ("ReplicaSet", ["tier=web"]),
        ("Service", ["tier=web"]),
        ("NetworkPolicy", []),
    ]
    commands = {each["command"] for each in found["advice"] if "selects" in each["problem"]}
    (command,) = commands
    Kubectl(plane).done(*command.split()[1:])
    again = json.loads(Kubectl(plane).done(*EXPLAIN))
    assert [row["kind"] for row in again["selectedBy"]] == ["NetworkPolicy"]


@pytest.mark.usefixtures("selecting")
def test_without_the_rights_of_the_user_the_kinds_are_reported_as_not_read(
    plane: ControlPlane, api: Api
) -> None:
    for each in _reader():
        api.ensure(each)
    kubectl = Kubectl(plane, api.token(READER, PLAN_NAMESPACE))
    found = json.loads(kubectl.done(*EXPLAIN))
    assert [row["kind"] for row in found["selectedBy"]] == ["Service"]
    for kind in ("ReplicaSet", "PodDisruptionBudget", "NetworkPolicy"):
        (unread,) = [text for text in found["unread"] if f"a {kind} that selects" in text]
        assert "may not list" in unread


def _reader() -> list[Json]:
    """Return a user who may read Plans and Services, and nothing else."""
    rbac = "rbac.authorization.k8s.io"
    user = {"kind": "ServiceAccount", "name": READER, "namespace": PLAN_NAMESPACE}
    rules = [
        {"apiGroups": ["forklift.konveyor.io"], "resources": ["plans"], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["services"], "verbs": ["list"]},
    ]
    role = {"apiGroup": rbac, "kind": "ClusterRole", "name": READER}
    return [
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": READER, "namespace": PLAN_NAMESPACE},
        },
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "ClusterRole",
            "metadata": {"name": READER},
            "rules": rules,
        },
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": READER},
            "roleRef": role,
            "subjects": [user],
        },
    ]
