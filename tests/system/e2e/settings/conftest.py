"""A control plane with quotas and ephemeral volumes, and releases with limits and profiles."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.system.controlplane.api import Api, Json
from tests.system.controlplane.process import until
from tests.system.controlplane.release import OPT_IN, Release
from tests.system.e2e.migration.cluster import WITH, Cluster
from tests.system.e2e.planes import close_after, started_plane
from tests.system.e2e.pod_results import send
from tests.system.e2e.preparation import add_namespace
from tests.system.guide.forklift import Generation, convertor_pod
from tests.system.guide.rows import PREFIX

HERE = Path(__file__).parent
_STACK = pytest.StashKey[ExitStack]()

PROFILED, FLOORED, BASELINE = "profiled", "floored", "baseline"
"""Namespaces: with a profile for convertor pods, of a release that enforces settings, and one like
`WITH` with pod security `baseline`, a quota and a LimitRange."""
UNLIMITED, BOUNDED = "unlimited", "bounded"
"""Namespaces of releases that let plans set everything, and that have each limit."""
OTHER_PLANS = "other-plans"
"""A namespace of Plans with limits of its own in `BOUNDED`."""
SECCOMP = {"type": "Localhost", "localhostProfile": "profiles/unshare.json"}
VALUES: Json = {
    "limits": {"priorityClasses": ["migration"], "resources": {"memory": "64Gi"}},
    "convertor": {
        "namespaces": {
            PROFILED: {
                "seccompProfile": SECCOMP,
                "appArmorProfile": {"type": "RuntimeDefault"},
                "env": {"LIBGUESTFS_BACKEND": "direct"},
                "runtimeClass": "kata",
                "scratchVolume": {"size": "20Gi", "storageClass": "fast"},
            }
        }
    },
}
FLOOR: Json = {
    "enforced": {
        "nodeSelector": {"migration": "allowed"},
        "affinity": "AVOID pods(app=db) in namespace payments on node",
        "tolerations": "dedicated=migration:NoSchedule",
    },
    "limits": {"labels": ["team"], "tolerations": ["spot"]},
}

EVERYTHING: Json = {
    "limits": {
        key: ["*"]
        for key in ("labels", "tolerations", "avoidTopologies", "priorityClasses", "podAnnotations")
    }
}
BOUNDS: Json = {
    "limits": {
        "settings": [
            *("labels", "node-selector", "affinity", "tolerations", "pods", "mode"),
            *("resources", "priority-class", "pod-annotations"),
        ],
        "roles": ["convertor", "first-consumer"],
        "labels": ["team", "cost.example.com/*"],
        "nodeLabels": ["disk", "topology.kubernetes.io/zone"],
        "tolerations": ["dedicated=migration:NoSchedule", "spot"],
        "ruleNamespaces": ["rook-ceph", "monitoring"],
        "targetNamespaces": [f"{BOUNDED}*"],
        "avoidTopologies": ["kubernetes.io/hostname"],
        "priorityClasses": ["migration"],
        "podAnnotations": ["example.com/*"],
        "resources": {"cpu": "8", "memory": "16Gi", "ephemeral-storage": "200Gi"},
        "namespaces": {OTHER_PLANS: {"roles": ["convertor"], "labels": ["wave"]}},
    }
}


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Stop everything after the last test of this folder."""
    close_after(HERE, _STACK, item, nextitem)


@pytest.fixture(scope="session")
def settings_stack(request: pytest.FixtureRequest) -> Iterator[ExitStack]:
    """Return the stack of everything that is stopped after the last test."""
    with ExitStack() as stack:
        request.session.stash[_STACK] = stack
        yield stack


@pytest.fixture(scope="session")
def shared_cluster(request: pytest.FixtureRequest, settings_stack: ExitStack) -> Cluster:
    """Start a control plane with kube-controller-manager."""
    plane = settings_stack.enter_context(started_plane(request.session, controllers=True))
    cluster = Cluster(plane)
    cluster.furnish()
    cluster.loop.start()
    settings_stack.callback(cluster.loop.stop)
    for name, value, never in (("migration", 1000, True), ("high", 2000, False)):
        cluster.api.create(priority_class(name, value, never=never))
    cluster.api.create(
        {
            "apiVersion": "node.k8s.io/v1",
            "kind": "RuntimeClass",
            "metadata": {"name": "kata"},
            "handler": "kata",
            "overhead": {"podFixed": {"memory": "160Mi", "cpu": "250m"}},
        }
    )
    for name in (PROFILED, BASELINE):
        add_namespace(cluster.api, name, {OPT_IN: WITH})
    for name in (FLOORED, UNLIMITED, BOUNDED):
        add_namespace(cluster.api, name, {OPT_IN: name})
    add_namespace(cluster.api, f"not-{BOUNDED}", {OPT_IN: BOUNDED})
    add_namespace(cluster.api, OTHER_PLANS)
    return cluster


@pytest.fixture
def cluster(shared_cluster: Cluster) -> Iterator[Cluster]:
    """Return the control plane, and delete what the test has created."""
    try:
        yield shared_cluster
    finally:
        shared_cluster.api.delete_all("Plan", OTHER_PLANS)
        shared_cluster.clean(PROFILED, FLOORED, BASELINE, UNLIMITED, BOUNDED, f"not-{BOUNDED}")


@pytest.fixture(scope="session")
def release(shared_cluster: Cluster, settings_stack: ExitStack) -> Release:
    """Install the chart with limits and a profile."""
    return _install(shared_cluster, settings_stack, WITH, WITH, VALUES)


@pytest.fixture(scope="session")
def floor(shared_cluster: Cluster, settings_stack: ExitStack) -> Release:
    """Install the chart with settings that it enforces."""
    return _install(shared_cluster, settings_stack, FLOORED, FLOORED, FLOOR)


@pytest.fixture(scope="session")
def unlimited(shared_cluster: Cluster, settings_stack: ExitStack) -> Release:
    """Install the chart with limits that allow everything."""
    return _install(shared_cluster, settings_stack, UNLIMITED, UNLIMITED, EVERYTHING)


@pytest.fixture(scope="session")
def bounded(shared_cluster: Cluster, settings_stack: ExitStack) -> Release:
    """Install the chart with each limit."""
    return _install(shared_cluster, settings_stack, BOUNDED, BOUNDED, BOUNDS)


def _install(
    cluster: Cluster, stack: ExitStack, name: str, namespace: str, values: Json
) -> Release:
    release = Release(cluster.plane, name, values)
    stack.callback(release.kill)
    release.install()
    release.start()
    pod = convertor_pod(Generation.V2_12, cluster.plan(namespace, {"labels": "team=a"}))

    def placed() -> bool:
        metadata = send(cluster.api, pod, dryRun="All").pod["metadata"]
        return f"{PREFIX}/placement" in metadata.get("annotations", {})

    until(f"release {name} to place a pod", placed)
    return release


def priority_class(name: str, value: int, *, never: bool) -> Json:
    """Return a PriorityClass; with `never` its pods evict no others."""
    policy = "Never" if never else "PreemptLowerPriority"
    return {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": {"name": name},
        "value": value,
        "preemptionPolicy": policy,
    }


def validate_plans(api: Api, release: Release, is_denied: Any) -> None:
    """Let the API server call a release for Plans."""
    body = release.one("ValidatingWebhookConfiguration")
    api.ensure(release._reachable(body))
    release.wait("the API server to validate Plans", is_denied)
