"""A control plane with volumes, and a release with two replicas."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.system.controlplane.installed import Installed
from tests.system.controlplane.process import until
from tests.system.controlplane.release import NAMESPACE, OPT_IN
from tests.system.controlplane.replicas import Replicas
from tests.system.e2e.migration.cluster import WITH, Cluster
from tests.system.e2e.planes import close_after, started_plane
from tests.system.e2e.pod_results import send
from tests.system.e2e.preparation import add_namespace
from tests.system.guide.forklift import Generation, convertor_pod
from tests.system.guide.rows import PREFIX

HERE = Path(__file__).parent
_STACK = pytest.StashKey[ExitStack]()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Stop everything after the last test of this folder."""
    close_after(HERE, _STACK, item, nextitem)


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest) -> Iterator[ExitStack]:
    """Return the stack of everything that is stopped after the last test."""
    with ExitStack() as stack:
        request.session.stash[_STACK] = stack
        yield stack


@pytest.fixture(scope="session")
def shared_cluster(request: pytest.FixtureRequest, stack: ExitStack) -> Cluster:
    """Start another control plane, with kube-controller-manager and the stand-ins."""
    plane = stack.enter_context(started_plane(request.session, controllers=True))
    cluster = Cluster(plane)
    cluster.furnish()
    cluster.loop.start()
    stack.callback(cluster.loop.stop)
    return cluster


@pytest.fixture
def cluster(shared_cluster: Cluster) -> Iterator[Cluster]:
    """Return the control plane and the stand-ins, and delete what the test has created."""
    try:
        yield shared_cluster
    finally:
        shared_cluster.clean()


@pytest.fixture(scope="session")
def replicas(shared_cluster: Cluster, stack: ExitStack) -> Replicas:
    """Install the chart with Helm, for one namespace, and start two replicas."""
    plane = shared_cluster.plane
    add_namespace(plane.admin, NAMESPACE)
    selector = {"matchLabels": {OPT_IN: WITH}}
    release = Installed(
        plane, "convertor-webhook", NAMESPACE, {"webhook": {"namespaceSelector": selector}}
    )
    release.install()
    replicas = Replicas(release)
    stack.callback(replicas.stop)
    replicas.start()
    _await_placing(shared_cluster)
    return replicas


def _await_placing(cluster: Cluster) -> None:
    """Wait until the API server calls the release."""
    pod = convertor_pod(Generation.V2_12, cluster.plan(WITH, {"labels": "batch=1"}))

    def placed() -> bool:
        metadata = send(cluster.api, pod, dryRun="All").pod["metadata"]
        return f"{PREFIX}/placement" in metadata.get("annotations", {})

    until("the release to place a pod", placed)
