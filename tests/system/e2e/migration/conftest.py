"""A control plane with volumes, and a release with two replicas."""

from collections.abc import Iterator

import pytest

from tests.system.controlplane.installed import Installed
from tests.system.controlplane.process import until
from tests.system.controlplane.release import NAMESPACE, OPT_IN
from tests.system.controlplane.replicas import Replicas
from tests.system.e2e.migration.cluster import WITH, Cluster
from tests.system.e2e.planes import started_plane
from tests.system.e2e.pod_results import send
from tests.system.e2e.preparation import add_namespace
from tests.system.guide.forklift import Generation, convertor_pod
from tests.system.guide.rows import PREFIX


@pytest.fixture(scope="session")
def shared_cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """Start another control plane, with kube-controller-manager and the stand-ins."""
    with started_plane(request.session, controllers=True) as plane:
        cluster = Cluster(plane)
        cluster.furnish()
        cluster.loop.start()
        try:
            yield cluster
        finally:
            cluster.loop.stop()


@pytest.fixture
def cluster(shared_cluster: Cluster) -> Iterator[Cluster]:
    """Return the control plane and the stand-ins, and delete what the test has created."""
    try:
        yield shared_cluster
    finally:
        shared_cluster.clean()


@pytest.fixture(scope="session")
def replicas(shared_cluster: Cluster) -> Iterator[Replicas]:
    """Install the chart with Helm, for one namespace, and start two replicas."""
    plane = shared_cluster.plane
    add_namespace(plane.admin, NAMESPACE)
    selector = {"matchLabels": {OPT_IN: WITH}}
    release = Installed(
        plane, "convertor-webhook", NAMESPACE, {"webhook": {"namespaceSelector": selector}}
    )
    release.install()
    replicas = Replicas(release)
    try:
        replicas.start()
        _await_placing(shared_cluster)
        yield replicas
    finally:
        replicas.stop()


def _await_placing(cluster: Cluster) -> None:
    """Wait until the API server calls the release."""
    pod = convertor_pod(Generation.V2_12, cluster.plan(WITH, {"labels": "batch=1"}))

    def placed() -> bool:
        metadata = send(cluster.api, pod, dryRun="All").pod["metadata"]
        return f"{PREFIX}/placement" in metadata.get("annotations", {})

    until("the release to place a pod", placed)
