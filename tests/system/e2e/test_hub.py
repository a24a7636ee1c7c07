"""A migration into a remote cluster: its pods are in this cluster, its Plan on the hub only."""

from collections.abc import Iterator

import pytest

from tests.system.controlplane.api import Api, Json
from tests.system.controlplane.cluster import ControlPlane
from tests.system.controlplane.release import OPT_IN, Release
from tests.system.e2e.pod_results import created, scheduled, send
from tests.system.e2e.preparation import add_namespace, use_plans_of
from tests.system.e2e.row_cluster import RowCluster, claim
from tests.system.guide.forklift import Generation, convertor_pod
from tests.system.guide.rows import PLAN_NAMESPACE, ROWS, Form

REMOTE = "remote"
READER = "remote-convertor-webhook"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """Start a second control plane, with Plans and an account that can read them."""
    hub = ControlPlane(tmp_path_factory.mktemp("hub"))
    try:
        hub.start()
        add_namespace(hub.admin, PLAN_NAMESPACE)
        use_plans_of(hub.admin, Generation.V2_12)
        for body in _reader():
            hub.admin.create(body)
        yield hub
    finally:
        hub.stop()


@pytest.fixture(scope="module")
def remote(plane: ControlPlane, hub: ControlPlane) -> Iterator[Release]:
    """Install the chart in this cluster, with a kubeconfig for the hub."""
    kubeconfig = hub.kubeconfig(READER, hub.admin.token(READER, PLAN_NAMESPACE))
    values = {"hubKubeconfig": {"secretName": "hub"}}
    release = Release(plane, REMOTE, values, files={"--hub-kubeconfig": kubeconfig})
    add_namespace(plane.admin, REMOTE, {OPT_IN: REMOTE})
    try:
        release.install()
        release.start()
        yield release
    finally:
        release.uninstall()


@pytest.mark.parametrize("generation", [Generation.V2_9, Generation.V2_12])
def test_a_pod_is_placed_by_its_plan_on_the_hub_and_the_nodes_of_its_own_cluster(
    api: Api, hub: ControlPlane, remote: Release, generation: Generation
) -> None:
    row = ROWS["resource-intensive"]
    cluster = RowCluster(api, row)
    try:
        cluster.build()
        with created(hub.admin, row.plan(Form.ANNOTATIONS, REMOTE)) as plan:
            pod = convertor_pod(generation, plan)
            claim(api, REMOTE, f"{row.plan_name}-vm-1630-disk-0")
            remote.wait(
                "the API server to call the release",
                lambda: send(api, pod, dryRun="All").labels.get("app"),
            )
            result = scheduled(api, send(api, pod))
    finally:
        api.delete_all("Pod", REMOTE)
        cluster.remove()
    assert result.node in row.lands
    (term,) = result.pod["spec"]["affinity"]["nodeAffinity"][
        "requiredDuringSchedulingIgnoredDuringExecution"
    ]["nodeSelectorTerms"]
    memory = {"key": "memory", "operator": "In", "values": ["64Gi", "128Gi", "1Ti"]}
    assert memory in term["matchExpressions"]


def _reader() -> list[Json]:
    rbac = "rbac.authorization.k8s.io"
    rules = [
        {
            "apiGroups": ["forklift.konveyor.io"],
            "resources": ["plans"],
            "verbs": ["get", "list", "watch"],
        }
    ]
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
            "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": READER},
            "subjects": [{"kind": "ServiceAccount", "name": READER, "namespace": PLAN_NAMESPACE}],
        },
    ]
