"""Limits and enforced settings, through a real API server."""

from collections.abc import Iterator

import pytest

from tests.system.controlplane.api import Json, path
from tests.system.controlplane.release import Release
from tests.system.e2e.migration.cluster import WITH, Cluster
from tests.system.e2e.pod_results import PodResult, send
from tests.system.e2e.settings.conftest import FLOORED, validate_plans
from tests.system.guide.forklift import Generation, convertor_pod
from tests.system.guide.rows import PLAN_NAMESPACE, PREFIX

ALLOWED = {"migration": "allowed"}
BEYOND = {
    "labels": "k8s-app=kube-dns,sidecar.istio.io/inject=false,team=a",
    "tolerations": "node-role.kubernetes.io/control-plane,node.kubernetes.io/unschedulable,spot",
    "affinity": "AVOID pods(has app) on kubernetes.io/os; PREFER nodes(disk=nvme)",
    "pod-annotations": "k8s.v1.cni.cncf.io/networks=other",
}
"""Seen to be applied without a message before there were limits."""


@pytest.fixture(scope="module", autouse=True)
def validated(shared_cluster: Cluster, release: Release) -> Iterator[None]:
    """Validate Plans by the release with the built-in limits, in all but one of these tests."""
    yield
    body = release.one("ValidatingWebhookConfiguration")
    shared_cluster.api.delete(body["kind"], body["metadata"]["name"])


def placed_when(
    cluster: Cluster, release: Release, plan: Json, generation: Generation = Generation.V2_12
) -> PodResult:
    """Create a convertor pod of a plan as soon as the webhook changes it."""
    body = convertor_pod(generation, plan)

    def changed() -> bool:
        found = send(cluster.api, body, dryRun="All").pod["spec"]
        annotations = send(cluster.api, body, dryRun="All").pod["metadata"].get("annotations", {})
        return f"{PREFIX}/placement" in annotations or "migration" in found.get("nodeSelector", {})

    release.wait("the pod to be changed", changed)
    return send(cluster.api, body)


@pytest.mark.parametrize("generation", Generation)
def test_a_plan_beyond_its_limits_gets_nothing_of_the_excess_and_everything_else(
    cluster: Cluster, release: Release, generation: Generation
) -> None:
    result = placed_when(cluster, release, cluster.plan(WITH, BEYOND), generation)
    spec, metadata = result.pod["spec"], result.pod["metadata"]

    assert result.labels.get("team") == "a"
    assert not {"k8s-app", "sidecar.istio.io/inject"} & result.labels.keys()
    keys = {each["key"] for each in spec["tolerations"]}
    assert keys == {"spot", "node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"}
    required = "requiredDuringSchedulingIgnoredDuringExecution"
    assert required not in spec["affinity"].get("podAntiAffinity", {})
    assert "disk" in str(spec["affinity"]["nodeAffinity"])
    assert "k8s.v1.cni.cncf.io/networks" not in metadata["annotations"]
    warnings = " ".join(result.warnings)
    for part in ("'k8s-app' is a label by which", "control-plane' admits pods", "labels entry 2"):
        assert part in warnings


def test_such_a_plan_is_rejected_when_it_is_written(cluster: Cluster, release: Release) -> None:
    api = cluster.api
    valid = cluster.plan(WITH)
    name = valid["metadata"]["name"]
    where = path("Plan", PLAN_NAMESPACE, name)

    def change(**settings: str | None) -> str:
        annotations = {f"{PREFIX}/{key}": text for key, text in settings.items()}
        body = {"metadata": {"annotations": annotations}}
        response = api.send("PATCH", where, body, dryRun="All")
        return str(response.json()["message"]) if response.is_error else ""

    validate_plans(api, release, lambda: change(labels="k8s-app=a"))
    for key, text in BEYOND.items():
        message = change(**{key: text})
        assert f"{PREFIX}/{key}" in message
        assert "installation" in message
    assert not change(labels="team=a")
    for mode in ("off", "audit"):
        assert "k8s-app" in change(labels="k8s-app=a", mode=mode)


def test_old_plans_can_still_be_written(cluster: Cluster, release: Release) -> None:
    api = cluster.api
    body = release.one("ValidatingWebhookConfiguration")
    api.delete(body["kind"], body["metadata"]["name"])
    plan = cluster.plan(WITH, BEYOND)
    where = path("Plan", PLAN_NAMESPACE, plan["metadata"]["name"])

    def denied() -> bool:
        labels = "k8s-app=a,app.kubernetes.io/a=b,job-name=c"
        change = {"metadata": {"annotations": {f"{PREFIX}/labels": labels}}}
        return api.send("PATCH", where, change, dryRun="All").is_error

    validate_plans(api, release, denied)
    assert api.send("PATCH", where, {"spec": {"archived": True}}).is_success


@pytest.mark.parametrize("generation", Generation)
@pytest.mark.parametrize("mode", ["enforce", "audit", "off"])
def test_no_plan_switches_off_what_the_installation_enforces(
    cluster: Cluster, floor: Release, mode: str, generation: Generation
) -> None:
    settings = {
        "mode": mode,
        "affinity": "",
        "affinity-policy": "replace",
        "pods": "importer",
        "node-selector": "migration=elsewhere,disk=nvme",
    }
    result = placed_when(cluster, floor, cluster.plan(FLOORED, settings), generation)
    spec = result.pod["spec"]

    assert ALLOWED.items() <= spec["nodeSelector"].items()
    assert "disk" not in spec["nodeSelector"]
    assert "payments" in str(spec["affinity"]["podAntiAffinity"])
    assert "dedicated" in {each["key"] for each in spec["tolerations"]}


def test_settings_within_the_limits_are_added_to_it(cluster: Cluster, floor: Release) -> None:
    settings = {"labels": "team=a,batch=1", "tolerations": "spot,gpu"}
    result = placed_when(cluster, floor, cluster.plan(FLOORED, settings))

    assert (result.labels.get("team"), result.labels.get("batch")) == ("a", None)
    keys = {each["key"] for each in result.pod["spec"]["tolerations"]}
    assert keys >= {"spot", "dedicated"}
    assert "gpu" not in keys
    assert ALLOWED.items() <= result.pod["spec"]["nodeSelector"].items()
