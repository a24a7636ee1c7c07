"""The webhook configurations, by the rows of docs/compliance.md."""

import re

import pytest

from tests.support.printed_commands import check, find_commands
from tests.system.chart import cases, rendering
from tests.system.chart.rendering import Json, mutating, one

pytestmark = pytest.mark.chart

POLICY = "convertor-webhook-migration"
"""The policy on pods, not the one on the server's ServiceAccount."""


def validating(values: Json | None = None, **options: str) -> Json:
    (webhook,) = one("ValidatingWebhookConfiguration", values, **options)["webhooks"]
    assert isinstance(webhook, dict)
    return webhook


def test_the_webhook_is_called_for_the_creation_of_pods_only() -> None:
    assert mutating()["rules"] == [
        {
            "apiGroups": [""],
            "apiVersions": ["v1"],
            "operations": ["CREATE"],
            "resources": ["pods"],
            "scope": "Namespaced",
        }
    ]


def test_system_namespaces_and_the_release_namespace_are_excluded() -> None:
    assert mutating()["namespaceSelector"] == {
        "matchExpressions": [
            {
                "key": "kubernetes.io/metadata.name",
                "operator": "NotIn",
                "values": ["kube-system", "kube-public", "kube-node-lease", "migration"],
            }
        ]
    }


def test_the_release_namespace_can_be_included() -> None:
    (expression,) = mutating({"webhook": {"excludeReleaseNamespace": False}})["namespaceSelector"][
        "matchExpressions"
    ]

    assert "migration" not in expression["values"]


def test_without_excluded_namespaces_the_selector_is_empty() -> None:
    values = {"webhook": {"excludedNamespaces": [], "excludeReleaseNamespace": False}}

    assert mutating(values)["namespaceSelector"] == {}


def test_namespaces_can_opt_in() -> None:
    opted = {
        "matchLabels": {"convertor": "on"},
        "matchExpressions": [{"key": "tenant", "operator": "Exists"}],
    }
    selector = mutating({"webhook": {"namespaceSelector": opted}})["namespaceSelector"]

    assert selector["matchLabels"] == opted["matchLabels"]
    assert [each["operator"] for each in selector["matchExpressions"]] == ["Exists", "NotIn"]


@pytest.mark.parametrize(("kubernetes", "has"), [("1.27", False), ("1.28", True), ("1.37", True)])
def test_match_conditions_are_rendered_if_the_cluster_supports_them(
    kubernetes: str, *, has: bool
) -> None:
    assert ("matchConditions" in mutating(kubernetes=kubernetes)) is has
    assert ("matchConditions" in validating(kubernetes=kubernetes)) is has


def test_match_conditions_of_the_user_follow_those_of_the_chart() -> None:
    own = {"name": "from-forklift", "expression": "request.userInfo.username != ''"}
    found = mutating({"webhook": {"matchConditions": [own]}})["matchConditions"]

    assert [each["name"] for each in found] == ["not-a-mirror-pod", "from-forklift"]


def test_the_webhook_fails_open_after_a_short_timeout_and_may_be_reinvoked() -> None:
    found = mutating()

    assert {key: found[key] for key in ("failurePolicy", "timeoutSeconds", "matchPolicy")} == {
        "failurePolicy": "Ignore",
        "timeoutSeconds": 3,
        "matchPolicy": "Equivalent",
    }
    assert found["reinvocationPolicy"] == "IfNeeded"
    assert found["sideEffects"] == "NoneOnDryRun"
    assert found["admissionReviewVersions"] == ["v1"]


def test_plans_are_validated_and_validation_fails_open() -> None:
    found = validating({"webhook": {"failurePolicy": "Fail"}})

    assert found["rules"] == [
        {
            "apiGroups": ["forklift.konveyor.io"],
            "apiVersions": ["v1beta1"],
            "operations": ["CREATE", "UPDATE"],
            "resources": ["plans"],
            "scope": "Namespaced",
        }
    ]
    assert (found["failurePolicy"], found["sideEffects"]) == ("Ignore", "None")


def test_names_are_qualified_and_unique() -> None:
    webhooks = [*one("MutatingWebhookConfiguration")["webhooks"], validating()]

    assert [webhook["name"] for webhook in webhooks] == [
        "pods.convertor.forklift.konveyor.io",
        "importers.convertor.forklift.konveyor.io",
        "populators.convertor.forklift.konveyor.io",
        "plans.convertor.forklift.konveyor.io",
    ]


def test_the_client_config_has_a_service_and_no_url() -> None:
    webhooks = one("MutatingWebhookConfiguration")["webhooks"]
    for webhook, path in (*((each, "/mutate") for each in webhooks), (validating(), "/validate")):
        assert webhook["clientConfig"] == {
            "service": {
                "name": "convertor-webhook",
                "namespace": "migration",
                "path": path,
                "port": 443,
            }
        }


def test_several_replicas_are_behind_a_cluster_ip() -> None:
    deployment, service = one("Deployment")["spec"], one("Service")["spec"]

    assert deployment["replicas"] == 2
    assert deployment["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert one("PodDisruptionBudget")["spec"]["maxUnavailable"] == 1
    assert service["type"] == "ClusterIP"
    assert service["ports"][0]["port"] == 443


def test_replicas_are_spread_over_zones_and_nodes() -> None:
    constraints = one("Deployment")["spec"]["template"]["spec"]["topologySpreadConstraints"]

    assert [(each["topologyKey"], each["whenUnsatisfiable"]) for each in constraints] == [
        ("topology.kubernetes.io/zone", "ScheduleAnyway"),
        ("kubernetes.io/hostname", "ScheduleAnyway"),
    ]


def test_the_admission_policy_requires_the_placement_annotation() -> None:
    values = cases.ALL["everything-on"] | {"annotationPrefix": "convertor.example.com"}
    policy = one("ValidatingAdmissionPolicy", values, name=POLICY)["spec"]

    assert policy["failurePolicy"] == "Ignore"
    assert policy["matchConstraints"]["objectSelector"] == {
        "matchExpressions": [{"key": "forklift.app", "operator": "In", "values": ["virt-v2v"]}]
    }
    assert policy["matchConstraints"]["namespaceSelector"] == mutating(values)["namespaceSelector"]
    (check,) = policy["validations"]
    assert check["expression"] == (
        "has(object.metadata.annotations) && "
        "'convertor.example.com/placement' in object.metadata.annotations"
    )


@pytest.mark.parametrize(
    ("value", "name"), [("admissionPolicy", POLICY), ("limitsPolicy", f"{POLICY}-limits")]
)
@pytest.mark.parametrize("major", [3, 4])
def test_the_admission_policies_are_an_error_before_kubernetes_1_30(
    major: int, value: str, name: str
) -> None:
    """An installation without the policy that its values request would look protected."""
    values: Json = {value: {"enabled": True}}
    error = f"{value}.enabled needs Kubernetes 1.30 or later, found v1.29.14: set it to false"

    with pytest.raises(rendering.ChartError, match=re.escape(error)):
        rendering.text(values, kubernetes="1.29.14", major=major)
    for kubernetes in ("1.30", "v1.30.0-eks-1a2b3c", "1.30.0-gke.100"):
        rendered = rendering.objects(values, kubernetes=kubernetes, major=major)
        assert ("ValidatingAdmissionPolicy", name) in {
            (each["kind"], each["metadata"]["name"]) for each in rendered
        }


def test_the_admission_policy_has_the_conditions_of_the_webhook() -> None:
    own = {"name": "from-forklift", "expression": "request.userInfo.username != ''"}
    values = {"admissionPolicy": {"enabled": True}, "webhook": {"matchConditions": [own]}}
    policy = one("ValidatingAdmissionPolicy", values, name=POLICY)["spec"]

    assert policy["matchConditions"] == mutating(values)["matchConditions"]
    assert len(policy["matchConditions"]) == 2


def test_the_notes_mention_a_tag_that_the_digest_overrides() -> None:
    image = {"tag": "9.9.9", "digest": f"sha256:{'0' * 64}"}

    assert "image.tag '9.9.9' is not used" in rendering.text({"image": image}, notes=True)
    for alone in image.items():
        assert "is not used" not in rendering.text({"image": dict([alone])}, notes=True)


@pytest.mark.parametrize("values", [*cases.MODES.values(), cases.SWITCHES["hub"]])
def test_the_commands_in_the_notes_run_as_printed(values: Json) -> None:
    commands = list(find_commands(rendering.text(values, notes=True).partition("NOTES:")[2]))

    assert len(commands) >= 7
    for command in commands:
        check(command)


def test_the_notes_have_the_names_of_the_objects() -> None:
    notes = rendering.text(notes=True).partition("NOTES:")[2]

    assert "deployment convertor-webhook --namespace migration" in notes
    assert "mutatingwebhookconfiguration convertor-webhook-migration " in notes
    assert "Secret convertor-webhook-ca" in notes
