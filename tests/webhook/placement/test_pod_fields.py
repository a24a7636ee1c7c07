"""Resources, priority class and annotations of placed pods, by role."""

from typing import Any

import pytest

from tests.support.builders import minimal_pod
from webhook.admission.patch import diff
from webhook.kube.objects import Json
from webhook.model import ClusterState, Installation, MigrationPod, Plan, PvcRef, Role, Settings
from webhook.placement import MalformedPod, Placed, place

INSTALLATION = Installation(identity_labels=False)
STATE = ClusterState(priority_classes={"migration", "other"})
OWN = {
    "requests": {"cpu": "1", "memory": "1Gi", "devices.kubevirt.io/kvm": "1"},
    "limits": {"cpu": "4", "memory": "8Gi", "devices.kubevirt.io/kvm": "1"},
}
SIDECAR = {"name": "sidecar", "resources": OWN}
MAIN = {"name": "virt-v2v", "image": "v2v", "resources": OWN, "env": [{"name": "a"}]}
CONVERTOR = MigrationPod()
CONSUMER = MigrationPod(Role.FIRST_CONSUMER)
FIRST_IMPORTER = MigrationPod(Role.FIRST_CONSUMER, pvc=PvcRef("vms", "disk-0", "u"))
IMPORTER, POPULATOR = MigrationPod(Role.IMPORTER), MigrationPod(Role.POPULATOR)
INSPECTION = MigrationPod(Role.INSPECTION)


def place_with(
    before: Json | None = None,
    migration_pod: MigrationPod = CONVERTOR,
    state: ClusterState = STATE,
    **settings: Any,
) -> Placed:
    """Place a pod by a plan with these settings for all roles; a second placement is the same."""
    plan = Plan("mtv", "db", settings=Settings(pods=tuple(Role), **settings))
    placed = place(before or minimal_pod(), plan, INSTALLATION, state, migration_pod)
    again = place(placed.pod, plan, INSTALLATION, state, migration_pod)
    assert diff(placed.pod, again.pod) == []
    return placed


def resources_of(placed: Placed, index: int = 0) -> Json:
    found: Json = placed.pod["spec"]["containers"][index]["resources"]
    return found


def test_the_main_container_gets_the_quantities_and_keeps_the_others() -> None:
    before = minimal_pod(containers=[SIDECAR, MAIN])
    wanted = {
        "requests.cpu": "2",
        "requests.memory": "4Gi",
        "requests.ephemeral-storage": "60Gi",
        "limits.memory": "12Gi",
    }
    placed = place_with(before, resources=wanted)

    assert placed.pod["spec"]["containers"][0] == SIDECAR
    assert resources_of(placed, 1) == {
        "requests": OWN["requests"] | {"cpu": "2", "memory": "4Gi", "ephemeral-storage": "60Gi"},
        "limits": OWN["limits"] | {"memory": "12Gi"},
    }
    assert (placed.notes, placed.problems) == ([], [])
    paths = [each["path"] for each in diff(before, placed.pod) if "containers" in each["path"]]
    assert all(path.startswith("/spec/containers/1/resources/") for path in paths)


def test_without_virt_v2v_the_first_container_is_the_main_one() -> None:
    before = minimal_pod(containers=[{"name": "main"}, SIDECAR])
    placed = place_with(before, CONSUMER, resources={"requests.cpu": "2", "limits.cpu": "3"})

    assert placed.pod["spec"]["containers"] == [
        {"name": "main", "resources": {"requests": {"cpu": "2"}}},
        SIDECAR,
    ]


def test_a_request_above_the_limit_of_the_pod_raises_that_limit() -> None:
    placed = place_with(minimal_pod(containers=[MAIN]), resources={"requests.memory": "10Gi"})

    assert resources_of(placed)["limits"]["memory"] == "10Gi"
    assert placed.notes == ["limit of memory raised from 8Gi to 10Gi, which the plan requests"]


def test_a_limit_below_the_request_of_the_pod_is_not_applied() -> None:
    before = minimal_pod(containers=[MAIN])
    placed = place_with(before, resources={"limits.memory": "512Mi", "limits.cpu": "2"})

    assert resources_of(placed)["limits"] == OWN["limits"] | {"cpu": "2"}
    (problem,) = placed.problems
    assert problem.message == (
        "limits.memory=512Mi is not applied, because the pod requests 1Gi: write requests.memory "
        "too"
    )


@pytest.mark.parametrize("containers", [None, []])
def test_containers_that_cannot_be_read_stay_as_they_are(containers: Any) -> None:
    placed = place_with(minimal_pod(containers=containers), resources={"limits.cpu": "2"})

    assert placed.pod["spec"] == {"containers": containers}
    (problem,) = placed.problems
    assert problem.message.startswith("resources are not applied: the containers of the pod are")


def test_amounts_may_be_numbers_and_malformed_ones_are_an_error() -> None:
    def with_limit(amount: Any) -> Json:
        return minimal_pod(containers=[{"name": "a", "resources": {"limits": {"cpu": amount}}}])

    placed = place_with(with_limit(1), resources={"requests.cpu": "2"})
    assert resources_of(placed)["limits"] == {"cpu": "2"}
    with pytest.raises(MalformedPod, match=r"a quantity of 'spec\.containers': must be a quantity"):
        place_with(with_limit("one"), resources={"requests.cpu": "2"})


@pytest.mark.parametrize("pod", [FIRST_IMPORTER, IMPORTER, POPULATOR, INSPECTION])
def test_only_convertors_and_the_pods_that_bind_volumes_for_them_get_resources(
    pod: MigrationPod,
) -> None:
    placed = place_with(minimal_pod(containers=[MAIN]), pod, resources={"requests.cpu": "2"})

    assert resources_of(placed) == OWN


@pytest.mark.parametrize("pod", [CONVERTOR, IMPORTER, POPULATOR])
def test_a_class_takes_the_place_of_the_priority_that_the_api_server_has_filled_in(
    pod: MigrationPod,
) -> None:
    before = minimal_pod(priority=0, preemptionPolicy="PreemptLowerPriority")
    placed = place_with(before, pod, priority_class="migration")

    patch = {each["path"]: each["op"] for each in diff(before, placed.pod)}
    assert patch["/spec/priorityClassName"] == "add"
    assert patch["/spec/priority"] == patch["/spec/preemptionPolicy"] == "remove"
    assert placed.notes == []


def test_a_pod_that_has_the_class_keeps_its_priority() -> None:
    spec: Json = {"priorityClassName": "migration", "priority": 1000, "preemptionPolicy": "Never"}
    placed = place_with(minimal_pod(**spec), priority_class="migration")

    assert placed.pod["spec"] == spec


def test_another_class_of_the_pod_is_replaced_with_a_note() -> None:
    placed = place_with(minimal_pod(priorityClassName="other"), priority_class="migration")

    assert placed.pod["spec"]["priorityClassName"] == "migration"
    assert placed.notes == ["priority class other of the pod replaced by migration of the plan"]


@pytest.mark.parametrize(
    ("known", "why"), [(None, "is not known to exist"), (["other"], "does not exist")]
)
def test_a_class_that_is_not_known_to_exist_is_not_applied(known: Any, why: str) -> None:
    state = ClusterState(priority_classes=known)
    placed = place_with(state=state, priority_class="migration", node_selector={"a": "b"})

    assert placed.pod["spec"] == {"nodeSelector": {"a": "b"}}
    (problem,) = placed.problems
    assert problem.message == (
        f"priority class 'migration' is not applied, because it {why} in the cluster of the pods, "
        "and the API server would reject them: see kubectl get priorityclasses"
    )


@pytest.mark.parametrize("pod", [INSPECTION, CONSUMER, FIRST_IMPORTER])
def test_other_roles_have_no_priority_class(pod: MigrationPod) -> None:
    assert (
        "spec" not in place_with(migration_pod=pod, priority_class="migration").pod
        or not (place_with(migration_pod=pod, priority_class="migration").pod["spec"])
    )


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("has_node", [False, True])
def test_pods_of_all_roles_get_annotations_which_are_only_added(
    role: Role, *, has_node: bool
) -> None:
    before = minimal_pod(metadata={"annotations": {"a": "pod"}})
    pod = MigrationPod(role, has_node=has_node)
    placed = place_with(before, pod, pod_annotations={"a": "plan", "b": "plan"})

    annotations = placed.pod["metadata"]["annotations"]
    assert (annotations["a"], annotations["b"]) == ("pod", "plan")


def test_a_pod_with_a_preset_node_gets_neither_resources_nor_class() -> None:
    before = minimal_pod(containers=[MAIN], nodeName="n1")
    placed = place_with(
        before,
        MigrationPod(Role.POPULATOR, has_node=True),
        resources={"requests.cpu": "2"},
        priority_class="migration",
    )

    assert placed.pod["spec"] == before["spec"]
