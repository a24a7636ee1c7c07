"""The profile of convertor pods: volumes of Forklift's own, and pods that do not get it."""

import pytest

from tests.system.controlplane.api import Json
from tests.system.controlplane.release import Release
from tests.system.e2e.migration.cluster import WITHOUT, Cluster
from tests.system.e2e.migration.every_pod import EVERY_POD, pod_of, role_of
from tests.system.e2e.pod_results import PodResult, send
from tests.system.e2e.settings.conftest import PROFILED
from tests.system.guide.forklift import Generation, convertor_pod
from webhook.model import Role

SCRATCH = "/var/tmp/virt-v2v"


def profiled(cluster: Cluster, release: Release, body: Json) -> PodResult:
    """Create a convertor pod as soon as it gets the profile."""

    def has_profile() -> bool:
        found = send(cluster.api, body, dryRun="All")
        assert not found.rejection, found.rejection
        return bool(found.pod["spec"].get("runtimeClassName") == "kata")

    release.wait("the profile", has_profile)
    return send(cluster.api, body)


def with_scratch(body: Json, name: str, volume: Json) -> Json:
    """Return a pod with a volume that Forklift itself mounts for temporary files."""
    spec = body["spec"]
    (main,) = spec["containers"]
    mounts = [*main["volumeMounts"], {"name": name, "mountPath": SCRATCH}]
    env = [*main.get("env", []), {"name": "TMPDIR", "value": SCRATCH}]
    main = main | {"volumeMounts": mounts, "env": env}
    volumes = [*spec["volumes"], {"name": name, **volume}]
    return body | {"spec": spec | {"volumes": volumes, "containers": [main]}}


def scratch_of(result: PodResult) -> Json:
    """Return the only volume for temporary files."""
    spec = result.pod["spec"]
    (main,) = spec["containers"]
    (name,) = (each["name"] for each in main["volumeMounts"] if each["mountPath"] == SCRATCH)
    (found,) = (each for each in spec["volumes"] if each["name"] == name)
    assert [each["value"] for each in main["env"] if each["name"] == "TMPDIR"] == [SCRATCH]
    return {key: value for key, value in found.items() if key != "name"}


@pytest.mark.parametrize("generation", Generation)
def test_a_volume_claim_of_forklift_for_temporary_files_is_kept(
    cluster: Cluster, release: Release, generation: Generation
) -> None:
    claim = {"persistentVolumeClaim": {"claimName": "temporary"}}
    body = convertor_pod(generation, cluster.plan(PROFILED))
    result = profiled(cluster, release, with_scratch(body, "conversion-temp", claim))

    assert scratch_of(result) == claim


def test_the_scratch_volume_takes_the_place_of_an_empty_directory(
    cluster: Cluster, release: Release
) -> None:
    body = convertor_pod(Generation.V2_12, cluster.plan(PROFILED))
    name = "conversion-temp-storage"
    result = profiled(cluster, release, with_scratch(body, name, {"emptyDir": {}}))

    claim = scratch_of(result)["ephemeral"]["volumeClaimTemplate"]["spec"]
    assert claim["resources"]["requests"] == {"storage": "20Gi"}


@pytest.mark.parametrize("name", EVERY_POD)
def test_of_all_pods_of_a_migration_the_convertor_pods_have_the_profile(
    cluster: Cluster, release: Release, name: str
) -> None:
    plan = cluster.plan(PROFILED, {"pods": "all", "labels": "team=a"})
    body, _ = pod_of(cluster, plan, name)
    if role_of(name) is Role.CONVERTOR:
        assert profiled(cluster, release, body).pod["spec"]["overhead"] is not None
        return
    if role_of(name) is not None:
        release.wait("the plan to be known", lambda: _has_label(cluster, body))
    result = send(cluster.api, body, dryRun="All")
    namespaced = body["metadata"] | {"namespace": WITHOUT}
    before = send(cluster.api, body | {"metadata": namespaced}, dryRun="All")

    for field in ("runtimeClassName", "volumes", "securityContext", "containers"):
        assert result.pod["spec"].get(field) == before.pod["spec"].get(field)


def _has_label(cluster: Cluster, body: Json) -> bool:
    labels = send(cluster.api, body, dryRun="All").pod["metadata"]["labels"]
    return bool(labels.get("team") == "a")


def test_a_convertor_pod_without_a_plan_has_no_profile(cluster: Cluster, release: Release) -> None:
    plan = cluster.plan(PROFILED)
    profiled(cluster, release, convertor_pod(Generation.V2_12, plan))
    metadata = plan["metadata"] | {
        "name": "unknown",
        "uid": "0" * 8 + "-0000-4000-8000-" + "0" * 12,
    }
    body = convertor_pod(Generation.V2_12, plan | {"metadata": metadata})

    assert "runtimeClassName" not in send(cluster.api, body).pod["spec"]
