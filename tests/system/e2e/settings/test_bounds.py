"""Each limit of an installation: on pods that are created, and on Plans that are written."""

from collections.abc import Iterator

import pytest

from tests.system.controlplane.api import Json, path
from tests.system.controlplane.release import Release
from tests.system.e2e.migration.cluster import Cluster
from tests.system.e2e.pod_results import PodResult, send
from tests.system.e2e.settings.conftest import BOUNDED, OTHER_PLANS, validate_plans
from tests.system.e2e.settings.pods import placed
from tests.system.guide.forklift import Generation, convertor_pod
from tests.system.guide.rows import PREFIX

BEYOND = {
    "settings": ("affinity-policy", "replace", "the setting is not applied"),
    "roles": ("pods", "convertor,importer", "importer"),
    "labels": ("labels", "cost.example.com/x=1,batch=1", "batch"),
    "nodeLabels": ("node-selector", "disk=nvme,rack=1", "rack"),
    "tolerations": ("tolerations", "spot,dedicated=migration:NoExecute", "NoExecute"),
    "ruleNamespaces": (
        "affinity",
        "PREFER nodes(disk=nvme); REPEL pods(app=db) in namespace payments on node",
        "payments",
    ),
    "avoidTopologies": (
        "affinity",
        "PREFER nodes(disk=nvme); AVOID pods(app=db) in namespace monitoring on zone",
        "keeps pods of other namespaces from whole topologies",
    ),
    "priorityClasses": ("priority-class", "high", "'high' is not applied"),
    "podAnnotations": ("pod-annotations", "example.com/a=1,other.com/b=2", "other.com/b"),
    "resources": ("resources", "requests.cpu=2,requests.memory=17Gi", "at most 16Gi"),
}
"""By the limit: a setting, its text, of which one part is beyond the limit, and a part of the
problem."""

WITHIN = {
    "pods": "convertor,first-consumer",
    "labels": "team=a,cost.example.com/x=1",
    "node-selector": "disk=nvme",
    "affinity": (
        "REQUIRE nodes(topology.kubernetes.io/zone=a); PREFER nodes(disk=nvme); "
        "AVOID pods(app=osd) in namespace rook-ceph on node; "
        "AVOID pods(app=db) in own namespace on zone; SPREAD pods(app=virt-v2v) on zone"
    ),
    "tolerations": "spot:NoSchedule,dedicated=migration:NoSchedule",
    "priority-class": "migration",
    "pod-annotations": "example.com/a=1",
    "resources": "requests.cpu=8,requests.memory=16Gi,limits.ephemeral-storage=200Gi",
}
"""Each at the limit."""


@pytest.fixture(scope="module", autouse=True)
def validated(shared_cluster: Cluster, bounded: Release) -> Iterator[None]:
    """Remove the validation of Plans after these tests."""
    yield
    body = bounded.one("ValidatingWebhookConfiguration")
    shared_cluster.api.delete(body["kind"], body["metadata"]["name"])


def rejection(cluster: Cluster, plan: Json, body: Json) -> str:
    """Return why a change of a Plan is denied; empty if it is not."""
    metadata = plan["metadata"]
    where = path("Plan", metadata["namespace"], metadata["name"])
    response = cluster.api.send("PATCH", where, body, dryRun="All")
    return str(response.json()["message"]) if response.is_error else ""


def annotated(**settings: str) -> Json:
    found = {f"{PREFIX}/{key.replace('_', '-')}": text for key, text in settings.items()}
    return {"metadata": {"annotations": found}}


def create(
    cluster: Cluster, release: Release, plan: Json, generation: Generation = Generation.V2_12
) -> PodResult:
    return placed(cluster, release, convertor_pod(generation, plan))


def unvalidated(cluster: Cluster, release: Release) -> None:
    """Let Plans be written as before there were limits."""
    body = release.one("ValidatingWebhookConfiguration")
    cluster.api.delete(body["kind"], body["metadata"]["name"])


@pytest.mark.parametrize("generation", Generation)
def test_settings_at_the_limits_are_applied(
    cluster: Cluster, bounded: Release, generation: Generation
) -> None:
    def known() -> bool:
        plan = cluster.plan(BOUNDED, {"priority-class": "migration"})
        body = convertor_pod(generation, plan)
        return "priorityClassName" in send(cluster.api, body, dryRun="All").pod["spec"]

    bounded.wait("the PriorityClasses to be known", known)
    result = create(cluster, bounded, cluster.plan(BOUNDED, WITHIN), generation)
    spec, metadata = result.pod["spec"], result.pod["metadata"]
    resources = spec["containers"][0]["resources"]

    assert "of the installation" not in " ".join(result.warnings)
    assert (result.labels["team"], result.labels["cost.example.com/x"]) == ("a", "1")
    assert spec["nodeSelector"]["disk"] == "nvme"
    for part in ("topology.kubernetes.io/zone", "rook-ceph", "db"):
        assert part in str(spec["affinity"])
    assert {"spot", "dedicated"} <= {each["key"] for each in spec["tolerations"]}
    assert (spec["priorityClassName"], spec["priority"]) == ("migration", 1000)
    assert metadata["annotations"]["example.com/a"] == "1"
    assert (resources["requests"]["cpu"], resources["limits"]["cpu"]) == ("8", "8")
    assert resources["limits"]["ephemeral-storage"] == "200Gi"
    assert len(spec["topologySpreadConstraints"]) == 1


@pytest.mark.parametrize("limit", BEYOND)
def test_what_is_beyond_one_limit_is_not_applied_and_the_rest_is(
    cluster: Cluster, bounded: Release, limit: str
) -> None:
    unvalidated(cluster, bounded)
    setting, text, message = BEYOND[limit]
    bounded.wait("Plans to be written", lambda: not denied(cluster, setting, text))
    settings = {"labels": "team=a"} | {setting: text}
    result = create(cluster, bounded, cluster.plan(BOUNDED, settings))
    spec, metadata = result.pod["spec"], result.pod["metadata"]

    assert message in " ".join(result.warnings)
    if limit != "labels":
        assert result.labels["team"] == "a"
    affinity = str(spec["affinity"])
    assert "payments" not in affinity
    assert "monitoring" not in affinity
    if setting == "affinity":
        assert "nvme" in affinity
    assert "virt-v2v" in affinity  # Forklift's own term, which the policy would replace
    assert "batch" not in result.labels
    assert (limit == "labels") == ("cost.example.com/x" in result.labels)
    own = spec["nodeSelector"]
    assert ("rack" in own, "disk" in own) == (False, limit == "nodeLabels")
    keys = {each["key"] for each in spec["tolerations"]}
    assert ("dedicated" in keys, "spot" in keys) == (False, limit == "tolerations")
    assert ("priorityClassName" in spec, spec["priority"]) == (False, 0)
    annotations = metadata["annotations"]
    assert "other.com/b" not in annotations
    assert ("example.com/a" in annotations) == (limit == "podAnnotations")
    requests = spec["containers"][0]["resources"]["requests"]
    assert requests["memory"] == "1Gi"


def denied(cluster: Cluster, setting: str, text: str) -> str:
    return rejection(cluster, cluster.plan(BOUNDED), annotated(**{setting: text}))


@pytest.mark.parametrize("limit", BEYOND)
def test_a_plan_beyond_one_limit_is_denied_when_it_is_written(
    cluster: Cluster, bounded: Release, limit: str
) -> None:
    setting, text, message = BEYOND[limit]
    validate_plans(cluster.api, bounded, lambda: denied(cluster, "labels", "k8s-app=a"))
    found = denied(cluster, setting, text)

    assert f"annotation {PREFIX}/{setting}" in found
    assert message in found
    assert "installation" in found


def test_plans_of_a_namespace_have_the_limits_of_that_namespace_key_by_key(
    cluster: Cluster, bounded: Release
) -> None:
    unvalidated(cluster, bounded)
    bounded.wait("Plans to be written", lambda: not denied(cluster, "labels", "batch=1"))
    settings = {"labels": "team=a,wave=1", "pods": "all", "tolerations": "spot,gpu"}
    result = create(cluster, bounded, cluster.plan(BOUNDED, settings, OTHER_PLANS))

    assert (result.labels.get("team"), result.labels.get("wave")) == (None, "1")
    keys = {each["key"] for each in result.pod["spec"]["tolerations"]}
    assert ("spot" in keys, "gpu" in keys) == (True, False)
    other = create(cluster, bounded, cluster.plan(BOUNDED, settings))
    assert (other.labels.get("team"), other.labels.get("wave")) == ("a", None)


def test_a_plan_of_another_target_namespace_gets_nothing(
    cluster: Cluster, bounded: Release
) -> None:
    unvalidated(cluster, bounded)
    bounded.wait("Plans to be written", lambda: not denied(cluster, "labels", "batch=1"))
    plan = cluster.plan(f"not-{BOUNDED}", WITHIN)
    result = create(cluster, bounded, plan)
    spec = result.pod["spec"]

    assert "team" not in result.labels
    assert "disk" not in spec["nodeSelector"]
    assert "priorityClassName" not in spec
    assert "example.com/a" not in result.pod["metadata"]["annotations"]
    assert "limits.targetNamespaces of the installation" in " ".join(result.warnings)
    validate_plans(cluster.api, bounded, lambda: denied(cluster, "labels", "batch=1"))
    assert "targetNamespaces" in rejection(
        cluster, cluster.plan(BOUNDED, WITHIN), {"spec": {"targetNamespace": f"not-{BOUNDED}"}}
    )


FIELDS = {
    "convertorLabels": {"batch": "1"},
    "convertorNodeSelector": {"rack": "1"},
    "convertorAffinity": {
        "podAntiAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": [
                {
                    "labelSelector": {"matchLabels": {"app": "db"}},
                    "namespaces": ["payments"],
                    "topologyKey": "kubernetes.io/hostname",
                }
            ]
        }
    },
}
"""Of a Plan, beyond the limits. Forklift applies them itself."""


@pytest.mark.parametrize("mode", ["enforce", "audit", "off"])
@pytest.mark.parametrize("field", FIELDS)
def test_a_field_that_forklift_applies_is_denied_when_it_is_written_in_every_mode(
    cluster: Cluster, bounded: Release, field: str, mode: str
) -> None:
    validate_plans(cluster.api, bounded, lambda: denied(cluster, "labels", "batch=1"))
    plan = cluster.plan(BOUNDED, {"mode": mode})

    found = rejection(cluster, plan, {"spec": {field: FIELDS[field]}})
    assert f"spec.{field}" in found
    assert "installation" in found


def test_a_label_beyond_the_limits_cannot_be_exchanged_for_another_one(
    cluster: Cluster, bounded: Release
) -> None:
    unvalidated(cluster, bounded)
    bounded.wait("Plans to be written", lambda: not denied(cluster, "labels", "batch=1"))
    plan = cluster.plan(BOUNDED, convertorLabels={"batch": "1"})
    validate_plans(cluster.api, bounded, lambda: denied(cluster, "labels", "batch=1"))

    assert not rejection(cluster, plan, {"spec": {"archived": True}})
    assert not rejection(cluster, plan, {"spec": {"convertorLabels": {"team": "a"}}})
    for labels in ({"batch": None, "k8s-app": "kube-dns"}, {"batch": "2"}):
        assert "of the installation" in rejection(
            cluster, plan, {"spec": {"convertorLabels": labels}}
        )


@pytest.mark.parametrize("generation", [Generation.V2_10, Generation.V2_12])
def test_a_label_that_forklift_has_applied_stays_and_is_reported(
    cluster: Cluster, bounded: Release, generation: Generation
) -> None:
    unvalidated(cluster, bounded)
    bounded.wait("Plans to be written", lambda: not denied(cluster, "labels", "batch=1"))
    plan = cluster.plan(BOUNDED, {"labels": "team=a"}, convertorLabels={"batch": "1"})
    result = create(cluster, bounded, plan, generation)

    assert (result.labels["batch"], result.labels["team"]) == ("1", "a")
    assert "limits.labels of the installation" in " ".join(result.warnings)


@pytest.mark.parametrize(
    "setting", ["seccomp-profile", "runtime-class", "env", "scratch-volume", "app-armor-profile"]
)
def test_a_plan_with_a_privilege_of_the_installation_is_denied(
    cluster: Cluster, bounded: Release, setting: str
) -> None:
    validate_plans(cluster.api, bounded, lambda: denied(cluster, "labels", "batch=1"))

    assert setting in denied(cluster, setting, "any")
