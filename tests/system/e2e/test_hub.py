"""A migration into a remote cluster: its pods are in this cluster, its Plan on the hub only."""

from collections.abc import Iterator

import pytest

from tests.system.controlplane.api import Api, Json
from tests.system.controlplane.cluster import ControlPlane
from tests.system.controlplane.release import OPT_IN, Release
from tests.system.e2e.migration import printed
from tests.system.e2e.migration.printed import Disk, Versions
from tests.system.e2e.pod_results import created, scheduled, send
from tests.system.e2e.preparation import add_namespace, use_plans_of
from tests.system.e2e.row_cluster import DISK, RowCluster, claim
from tests.system.guide.forklift import Generation, convertor_pod
from tests.system.guide.rows import PLAN_NAMESPACE, PREFIX, ROWS, Form

REMOTE = "remote"
READER = "remote-convertor-webhook"

MEMORY = {"key": "memory", "operator": "In", "values": ["64Gi", "128Gi", "1Ti"]}
"""The requirement `memory=64Gi+` with the values of this cluster's nodes."""
BOUND = {"pv.kubernetes.io/bind-completed": "yes"}


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
    assert MEMORY in term["matchExpressions"]


@pytest.mark.parametrize("cdi", ["1.62", "1.66"])
def test_an_importer_is_placed_by_the_plan_on_the_hub_that_its_pvc_leads_to(
    api: Api, hub: ControlPlane, remote: Release, cdi: str
) -> None:
    row = ROWS["resource-intensive"]
    cluster, versions = RowCluster(api, row), Versions(cdi, "2.12")
    body = row.plan(Form.ANNOTATIONS, REMOTE)
    body["metadata"]["annotations"][f"{PREFIX}/pods"] = "all"
    try:
        cluster.build()
        with created(hub.admin, body) as plan:
            disk = Disk(plan, "migration", "vm-1630", f"{row.plan_name}-disk", "unknown")
            pvc = api.create(printed.pvc(versions, disk))
            importer = printed.importer(versions, disk, pvc, "snapshot-1")
            _await_role(api, remote, importer, "first-consumer")
            first = send(api, importer, dryRun="All")
            volume = {"metadata": {"annotations": BOUND}, "spec": {"volumeName": DISK}}
            api.patch("PersistentVolumeClaim", disk.pvc, volume, REMOTE)
            _await_role(api, remote, importer, "importer")
            later = scheduled(api, send(api, importer))
    finally:
        api.delete_all("Pod", REMOTE)
        api.delete_all("PersistentVolumeClaim", REMOTE)
        cluster.remove()
    (term,) = first.pod["spec"]["affinity"]["nodeAffinity"][
        "requiredDuringSchedulingIgnoredDuringExecution"
    ]["nodeSelectorTerms"]
    assert MEMORY in term["matchExpressions"]
    assert later.node in row.lands
    assert later.pod["spec"]["affinity"].keys() == {"nodeAffinity"}


def _await_role(api: Api, remote: Release, pod: Json, role: str) -> None:
    remote.wait(
        f"the importer to be placed as {role}",
        lambda: send(api, pod, dryRun="All").labels.get(f"{PREFIX}/role") == role,
    )


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
