"""Every pod that Forklift and CDI create, with each setting, on a real API server."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.system.controlplane.api import Json
from tests.system.controlplane.process import until
from tests.system.controlplane.release import Release
from tests.system.e2e.migration.cluster import WITH, WITHOUT, ZONES, Cluster
from tests.system.e2e.migration.every_pod import EVERY_POD, bind, pod_of, role_of
from tests.system.e2e.pod_results import PodResult, send
from tests.system.e2e.row_cluster import pod
from tests.system.e2e.settings.conftest import BASELINE
from tests.system.guide.forklift import Generation, convertor_pod
from tests.system.guide.rows import PREFIX
from webhook.model import Role

KEEP = "cluster-autoscaler.kubernetes.io/safe-to-evict"
SETTINGS = {
    "pods": "all",
    "labels": "wave=3",
    "resources": "requests.memory=10Gi,requests.ephemeral-storage=20Gi,limits.cpu=6",
    "priority-class": "migration",
    "pod-annotations": f"{KEEP}=false",
    "affinity": "SPREAD pods(wave=3) on zone hard",
}
OF_SETTING = {
    "labels": set[str](),
    "resources": {"containers"},
    "priority-class": {"priorityClassName", "priority", "preemptionPolicy"},
    "pod-annotations": set[str](),
    "affinity": {"topologySpreadConstraints"},
}
"""The fields of a pod that a setting changes, besides labels and annotations."""
FIELDS = {"labels", "annotations", "affinity", "nodeSelector", "volumes", "securityContext"}.union(
    *OF_SETTING.values()
)
CONTROLS: list[Json] = [
    {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "quota", "namespace": BASELINE},
        "spec": {"hard": {"pods": "200", "requests.memory": "1Ti", "requests.cpu": "500"}},
    },
    {
        "apiVersion": "v1",
        "kind": "LimitRange",
        "metadata": {"name": "range", "namespace": BASELINE},
        "spec": {
            "limits": [
                {
                    "type": "Container",
                    "max": {"memory": "16Gi", "cpu": "8"},
                    "default": {"memory": "1Gi", "cpu": "1"},
                    "defaultRequest": {"memory": "100Mi", "cpu": "100m"},
                }
            ]
        },
    },
]


@pytest.fixture(scope="module", autouse=True)
def controlled(shared_cluster: Cluster, release: Release) -> Iterator[None]:
    """Control the namespace by pod security, a quota with its status, and a LimitRange."""
    api = shared_cluster.api
    labels = {"pod-security.kubernetes.io/enforce": "baseline"}
    api.patch("Namespace", BASELINE, {"metadata": {"labels": labels}})
    for body in CONTROLS:
        api.ensure(body)
    until("the quota to be counted", lambda: api.get("ResourceQuota", "quota", BASELINE)["status"])
    with shared_cluster.nodes(ZONES):
        yield


def resources_of(result: PodResult) -> Json:
    found: Json = result.pod["spec"]["containers"][0].get("resources", {})
    return found


@pytest.mark.parametrize("name", EVERY_POD)
def test_a_pod_with_all_settings_is_admitted_and_has_those_of_its_role(
    cluster: Cluster, release: Release, name: str
) -> None:
    plan = cluster.plan(WITH, SETTINGS)
    body, pvc = pod_of(cluster, plan, name)
    body["metadata"].pop("finalizers", None)  # of a Job, whose controller does not run
    elsewhere = body | {"metadata": body["metadata"] | {"namespace": WITHOUT}}
    before = send(cluster.api, elsewhere, dryRun="All")
    role = role_of(name)
    if role is not None:
        release.wait("the pod to be placed", lambda: _is_placed(cluster, body))
    result = send(cluster.api, body)

    assert not result.rejection, result.rejection
    spec, annotations = result.pod["spec"], result.pod["metadata"].get("annotations", {})
    has_node = "nodeName" in body["spec"]
    roles_with_class = {Role.CONVERTOR, Role.POPULATOR}
    first_consumer = role is Role.IMPORTER and pvc is not None
    assert annotations.get(KEEP) == (None if role is None else "false")
    with_class = role in roles_with_class and not has_node
    assert (spec.get("priorityClassName"), spec["priority"]) == (
        ("migration", 1000) if with_class else (None, 0)
    )
    if with_class:
        assert spec["preemptionPolicy"] == "Never"
    constraints = [each["whenUnsatisfiable"] for each in spec.get("topologySpreadConstraints", ())]
    hard = role in (Role.CONVERTOR, Role.INSPECTION)
    soft = role is Role.POPULATOR and not has_node
    assert constraints == (["DoNotSchedule"] if hard else ["ScheduleAnyway"] if soft else [])
    assert first_consumer or role is not Role.IMPORTER
    _check_resources(result, before, role)


def _check_resources(result: PodResult, before: PodResult, role: Role | None) -> None:
    own, unplaced = resources_of(result), resources_of(before)
    if role is Role.CONVERTOR:
        assert own["requests"]["memory"] == own["limits"]["memory"] == "10Gi"
        assert (own["requests"]["ephemeral-storage"], own["limits"]["cpu"]) == ("20Gi", "6")
    elif role is Role.FIRST_CONSUMER:
        assert own["requests"]["memory"] == own["limits"]["memory"] == "10Gi"
        assert own["limits"].get("cpu") == unplaced["limits"].get("cpu")
    else:
        assert own == unplaced


def _is_placed(cluster: Cluster, body: Json) -> bool:
    annotations = send(cluster.api, body, dryRun="All").pod["metadata"].get("annotations", {})
    return KEEP in annotations


@pytest.mark.parametrize("name", [name for name in EVERY_POD if role_of(name) is Role.IMPORTER])
def test_an_importer_of_a_bound_disk_has_the_class_and_prefers_to_be_spread(
    cluster: Cluster, release: Release, name: str
) -> None:
    body, pvc = pod_of(cluster, cluster.plan(WITH, SETTINGS), name)
    assert pvc is not None
    bind(cluster, pvc)

    def role() -> bool:
        labels: Json = release.reviewed(body)["metadata"]["labels"]
        return labels.get(f"{PREFIX}/role") == Role.IMPORTER

    release.wait("the PVC to be bound", role)
    result = send(cluster.api, body)

    assert not result.rejection, result.rejection
    spec, has_node = result.pod["spec"], "nodeName" in body["spec"]
    constraints = [each["whenUnsatisfiable"] for each in spec.get("topologySpreadConstraints", ())]
    assert constraints == ([] if has_node else ["ScheduleAnyway"])
    assert (spec["priority"], spec["preemptionPolicy"]) == (
        (0, "PreemptLowerPriority") if has_node else (1000, "Never")
    )
    assert result.pod["metadata"]["annotations"][KEEP] == "false"


@pytest.mark.parametrize("name", EVERY_POD)
def test_a_pod_is_admitted_under_pod_security_a_quota_and_a_limit_range(
    cluster: Cluster, release: Release, name: str
) -> None:
    plan = cluster.plan(BASELINE, SETTINGS)
    body, _ = pod_of(cluster, plan, name)
    body["metadata"].pop("finalizers", None)
    if role_of(name) is not None:
        release.wait("the pod to be placed", lambda: _is_placed(cluster, body))
    result = send(cluster.api, body)

    assert not result.rejection, result.rejection
    if role_of(name) is Role.CONVERTOR:
        assert resources_of(result)["requests"]["memory"] == "10Gi"


@pytest.mark.parametrize("generation", Generation)
@pytest.mark.parametrize("setting", [each for each in SETTINGS if each != "pods"])
def test_a_pod_with_one_setting_is_admitted_there(
    cluster: Cluster, release: Release, setting: str, generation: Generation
) -> None:
    body = convertor_pod(generation, cluster.plan(BASELINE, {setting: SETTINGS[setting]}))
    before = send(cluster.api, body | {"metadata": body["metadata"] | {"namespace": WITHOUT}})
    placed = f"{PREFIX}/placement"

    def is_placed() -> bool:
        annotations = send(cluster.api, body, dryRun="All").pod["metadata"].get("annotations", {})
        return placed in annotations

    release.wait("the pod to be placed", is_placed)
    result = send(cluster.api, body)

    assert not result.rejection, result.rejection
    changed = {
        key
        for part in ("spec", "metadata")
        for key in result.pod[part].keys() | before.pod[part].keys()
        if key in FIELDS and result.pod[part].get(key) != before.pod[part].get(key)
    }
    assert changed == {"labels", "annotations"} | OF_SETTING[setting]


@pytest.mark.parametrize("field", ["seccompProfile", "appArmorProfile"])
def test_pod_security_rejects_a_profile_that_switches_protection_off(
    cluster: Cluster, field: str
) -> None:
    result = send(cluster.api, pod(BASELINE, {}, securityContext={field: {"type": "Unconfined"}}))

    assert 'violates PodSecurity "baseline' in result.rejection


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"resources": "requests.memory=20Gi"}, "maximum memory usage per Container is 16Gi"),
        ({"resources": "limits.cpu=9"}, "maximum cpu usage per Container is 8"),
    ],
)
def test_a_limit_range_applies_to_the_settings(
    cluster: Cluster, release: Release, settings: dict[str, str], message: str
) -> None:
    body = convertor_pod(Generation.V2_12, cluster.plan(BASELINE, settings))

    def rejection() -> str:
        return send(cluster.api, body, dryRun="All").rejection

    assert message in release.wait("the plan to be known", rejection)


def test_a_quota_counts_the_requests_of_the_settings(cluster: Cluster, release: Release) -> None:
    api = cluster.api
    narrow: Any = {"spec": {"hard": {"requests.memory": "15Gi"}}}
    api.patch("ResourceQuota", "quota", narrow, BASELINE)

    def counted() -> bool:
        status = api.get("ResourceQuota", "quota", BASELINE)["status"]
        return bool(status.get("hard", {}).get("requests.memory") == "15Gi")

    try:
        until("the quota to be counted", counted)
        plan = cluster.plan(BASELINE, SETTINGS)
        first, second = (convertor_pod(Generation.V2_12, plan, vm) for vm in ("vm-1", "vm-2"))
        release.wait("the pod to be placed", lambda: _is_placed(cluster, first))
        assert not send(api, first).rejection
        assert "exceeded quota: quota, requested: requests.memory=" in send(api, second).rejection
    finally:
        wide: Any = {"spec": {"hard": {"requests.memory": "1Ti"}}}
        api.patch("ResourceQuota", "quota", wide, BASELINE)
