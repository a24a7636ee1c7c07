"""Priority, spread constraints and the profile of placed pods, on the real scheduler."""

import pytest

from tests.system.controlplane.api import Json
from tests.system.controlplane.process import until
from tests.system.controlplane.release import Release
from tests.system.e2e.migration.cluster import NEIGHBOURS, WITH, ZONES, Cluster
from tests.system.e2e.pod_results import PodResult, scheduled, send
from tests.system.e2e.row_cluster import pod
from tests.system.e2e.settings.conftest import PROFILED, SECCOMP
from tests.system.e2e.settings.pods import await_classes, placed, without_disks
from tests.system.guide.forklift import Generation, convertor_pod
from tests.system.guide.rows import PREFIX


def test_pods_are_spread_over_zones_and_a_cordoned_node_does_not_block_them(
    cluster: Cluster, release: Release
) -> None:
    with cluster.nodes(ZONES, used=()):
        cordon = [{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}]
        for name in ("b1", "b2"):
            cluster.api.patch("Node", name, {"spec": {"unschedulable": True, "taints": cordon}})
        rules = "SPREAD pods(app=virt-v2v) on node hard; SPREAD pods(app=virt-v2v) on zone"
        plan = cluster.plan(WITH, {"affinity": rules})
        pods = [convertor_pod(Generation.V2_12, plan, f"vm-{number}") for number in range(4)]
        found = [
            scheduled(cluster.api, placed(cluster, release, without_disks(body))) for body in pods
        ]
        nodes = [result.node or str(result) for result in found]

        assert sorted(nodes) == ["a1", "a1", "a2", "a2"]
        cluster.api.delete_all("Pod", WITH)


def test_a_pod_of_an_allowed_class_evicts_nobody(cluster: Cluster, release: Release) -> None:
    await_classes(cluster, release)
    with cluster.nodes({"a1": ZONES["a1"]}, used=()):
        victim = scheduled(cluster.api, send(cluster.api, pod(NEIGHBOURS, {}, cpu=63)))
        settings = {"resources": "requests.cpu=4", "priority-class": "migration"}
        body = convertor_pod(Generation.V2_12, cluster.plan(WITH, settings))
        waiting = scheduled(cluster.api, placed(cluster, release, without_disks(body)))

        assert waiting.pod["spec"]["priority"] == 1000
        assert (waiting.node, "Insufficient cpu" in waiting.why_pending) == ("", True)
        found = cluster.api.get("Pod", victim.pod["metadata"]["name"], NEIGHBOURS)
        assert "deletionTimestamp" not in found["metadata"]
        cluster.api.delete_all("Pod", NEIGHBOURS)


@pytest.mark.parametrize("name", ["high", "missing"])
def test_a_class_that_is_not_allowed_costs_no_pod_its_admission(
    cluster: Cluster, release: Release, name: str
) -> None:
    settings = {"priority-class": name, "labels": "team=a"}
    body = convertor_pod(Generation.V2_12, cluster.plan(WITH, settings))
    result = placed(cluster, release, body)

    assert (result.pod["spec"]["priority"], result.labels["team"]) == (0, "a")
    assert f"'{name}' is not applied: limits.priorityClasses of the installation has only" in (
        " ".join(result.warnings)
    )


def test_a_class_that_was_deleted_costs_no_pod_its_admission(
    cluster: Cluster, release: Release
) -> None:
    await_classes(cluster, release)
    api = cluster.api
    settings = {"priority-class": "migration", "labels": "team=a"}
    body = convertor_pod(Generation.V2_12, cluster.plan(WITH, settings))
    assert placed(cluster, release, body).pod["spec"]["priorityClassName"] == "migration"
    found = api.get("PriorityClass", "migration")
    api.delete("PriorityClass", "migration")
    try:
        body["metadata"]["generateName"] = "again-"

        def without_class() -> bool:
            result = send(api, body, dryRun="All")
            return not result.rejection and "priorityClassName" not in result.pod["spec"]

        release.wait("the class to be unknown", without_class)
        assert "does not exist in the cluster" in " ".join(send(api, body, dryRun="All").warnings)
    finally:
        metadata = {"name": "migration"}
        api.create(found | {"metadata": metadata})
        await_classes(cluster, release)


@pytest.mark.parametrize("generation", Generation)
def test_a_convertor_pod_has_the_profile_of_its_namespace(
    cluster: Cluster, release: Release, generation: Generation
) -> None:
    api = cluster.api
    labels = {"pod-security.kubernetes.io/enforce": "baseline"}
    api.patch("Namespace", PROFILED, {"metadata": {"labels": labels}})
    plan = cluster.plan(PROFILED, {"mode": "off"})
    body = convertor_pod(generation, plan)
    body["spec"]["securityContext"].pop("seLinuxOptions", None)

    def has_profile() -> bool:
        return "runtimeClassName" in send(api, body, dryRun="All").pod.get("spec", {})

    release.wait("the profile", has_profile)
    result = send(api, body)
    spec, main = result.pod["spec"], result.pod["spec"]["containers"][0]

    assert spec["securityContext"]["seccompProfile"] == SECCOMP
    assert spec["securityContext"]["appArmorProfile"] == {"type": "RuntimeDefault"}
    assert (spec["runtimeClassName"], spec["overhead"]["memory"]) == ("kata", "160Mi")
    variables = {each["name"]: each.get("value") for each in main["env"]}
    assert variables["LIBGUESTFS_BACKEND"] == "direct"
    assert variables["TMPDIR"] == "/var/tmp/virt-v2v"
    assert "/var/tmp/virt-v2v" in [each["mountPath"] for each in main["volumeMounts"]]
    assert f"{PREFIX}/placement" not in result.pod["metadata"].get("annotations", {})
    _check_claim(cluster, result)


def _check_claim(cluster: Cluster, result: PodResult) -> None:
    """Check that the claim of the scratch volume has no labels, and belongs to the pod."""
    name = f"{result.pod['metadata']['name']}-conversion-temp-storage"

    def claim() -> Json | None:
        claims = cluster.api.list("PersistentVolumeClaim", PROFILED)
        return next((each for each in claims if each["metadata"]["name"] == name), None)

    found = until("the claim of the scratch volume", claim)
    assert "labels" not in found["metadata"]
    assert found["metadata"]["ownerReferences"][0]["uid"] == result.pod["metadata"]["uid"]
    assert found["spec"]["storageClassName"] == "fast"
    assert found["spec"]["resources"]["requests"] == {"storage": "20Gi"}
