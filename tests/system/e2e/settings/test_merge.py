"""Settings that the API server would reject, or that the pod already has in another form."""

import pytest

from tests.system.controlplane.api import Json
from tests.system.controlplane.release import Release
from tests.system.e2e.migration.cluster import WITH, Cluster
from tests.system.e2e.pod_results import PodResult, send
from tests.system.e2e.settings.pods import await_classes, placed
from tests.system.guide.forklift import Generation, convertor_pod

KEEP = "cluster-autoscaler.kubernetes.io/safe-to-evict"
HARD = {"whenUnsatisfiable": "DoNotSchedule", "topologyKey": "topology.kubernetes.io/zone"}
ZONES = HARD | {"maxSkew": 3, "labelSelector": {"matchLabels": {"app": "virt-v2v"}}}


def create(
    cluster: Cluster, release: Release, settings: dict[str, str], **changes: Json
) -> PodResult:
    """Create a pod with settings, and further fields of its own."""
    body = convertor_pod(Generation.V2_12, cluster.plan(WITH, {"labels": "team=a"} | settings))
    for part, fields in changes.items():
        body[part] = body[part] | fields
    result = placed(cluster, release, body)
    assert not result.rejection, result.rejection
    assert result.labels["team"] == "a"
    return result


def resources(result: PodResult) -> tuple[str, str]:
    """Return request and limit of memory."""
    found = result.pod["spec"]["containers"][0]["resources"]
    return found["requests"]["memory"], found["limits"]["memory"]


@pytest.mark.parametrize(
    ("text", "expected", "message"),
    [
        ("requests.memory=4Gi,limits.memory=2Gi", ("1Gi", "8Gi"), "limits.memory"),
        ("limits.memory=512Mi", ("1Gi", "8Gi"), "because the pod requests 1Gi"),
        ("requests.memory=10Gi", ("10Gi", "10Gi"), "limit of memory raised from 8Gi to 10Gi"),
        ("requests.memory=512Mi,limits.memory=512Mi", ("512Mi", "512Mi"), ""),
        ("requests.memory=2Gb", ("1Gi", "8Gi"), "2Gb"),
        ("requests.nvidia.com/gpu=1", ("1Gi", "8Gi"), "gpu"),
    ],
)
def test_no_resources_cost_a_pod_its_admission(
    cluster: Cluster, release: Release, text: str, expected: tuple[str, str], message: str
) -> None:
    result = create(cluster, release, {"resources": text})

    assert resources(result) == expected
    assert message in " ".join(result.warnings)


def test_an_annotation_of_the_pod_is_not_replaced(cluster: Cluster, release: Release) -> None:
    own = {"annotations": {KEEP: "true"}}
    result = create(cluster, release, {"pod-annotations": f"{KEEP}=false"}, metadata=own)

    assert result.pod["metadata"]["annotations"][KEEP] == "true"


@pytest.mark.parametrize(
    "text",
    [
        "SPREAD pods(app=virt-v2v) on zone hard; SPREAD pods(team=a) on zone hard",
        "SPREAD pods(app=virt-v2v) on zone; SPREAD pods(app=virt-v2v) on zone skew=2",
    ],
)
def test_two_constraints_of_one_kind_cost_no_pod_its_admission(
    cluster: Cluster, release: Release, text: str
) -> None:
    result = create(cluster, release, {"affinity": text})

    assert len(result.pod["spec"].get("topologySpreadConstraints", ())) <= 1
    assert "SPREAD" in " ".join(result.warnings)


def test_a_constraint_of_the_pod_is_kept_beside_one_of_another_kind(
    cluster: Cluster, release: Release
) -> None:
    text = "SPREAD pods(team=a) on zone hard; SPREAD pods(team=a) on zone"
    own = {"topologySpreadConstraints": [ZONES]}
    result = create(cluster, release, {"affinity": text}, spec=own)

    hard, soft = result.pod["spec"]["topologySpreadConstraints"]
    assert hard.items() >= ZONES.items()
    assert soft["whenUnsatisfiable"] == "ScheduleAnyway"
    assert "because the pod has another hard constraint on zone" in " ".join(result.warnings)


def test_the_class_of_a_pod_is_replaced(cluster: Cluster, release: Release) -> None:
    await_classes(cluster, release)
    own = {"priorityClassName": "system-node-critical"}
    result = create(cluster, release, {"priority-class": "migration"}, spec=own)

    assert result.pod["spec"]["priority"] == 1000


def test_a_quota_of_a_class_counts_the_pods_that_get_it(cluster: Cluster, release: Release) -> None:
    await_classes(cluster, release)
    scope = {"scopeName": "PriorityClass", "operator": "In", "values": ["migration"]}
    metadata = {"name": "of-class", "namespace": WITH}
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": metadata,
        "spec": {"hard": {"pods": "1"}, "scopeSelector": {"matchExpressions": [scope]}},
    }
    cluster.api.create(quota)
    try:

        def counted() -> bool:
            status = cluster.api.get("ResourceQuota", "of-class", WITH).get("status", {})
            return bool(status.get("hard"))

        release.wait("the quota to be counted", counted)
        create(cluster, release, {"priority-class": "migration"})
        create(cluster, release, {})
        plan = cluster.plan(WITH, {"priority-class": "migration"})
        body = convertor_pod(Generation.V2_12, plan)

        def exceeded() -> bool:
            return "exceeded quota: of-class" in send(cluster.api, body, dryRun="All").rejection

        release.wait("the plan to be known", exceeded)
    finally:
        cluster.api.delete("ResourceQuota", "of-class", WITH)
