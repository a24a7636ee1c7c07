"""What the API server is told to send to the webhook, row by row of docs/compliance.md."""

import pytest

from tests.system.chart import cases, rendering
from tests.system.chart.rendering import Json, one

pytestmark = pytest.mark.chart


def mutating(values: Json | None = None, **options: str) -> Json:
    (webhook,) = one("MutatingWebhookConfiguration", values, **options)["webhooks"]
    assert isinstance(webhook, dict)
    return webhook


def validating(values: Json | None = None, **options: str) -> Json:
    (webhook,) = one("ValidatingWebhookConfiguration", values, **options)["webhooks"]
    assert isinstance(webhook, dict)
    return webhook


def test_only_the_creation_of_pods_is_sent_so_incidents_and_leases_are_not_touched() -> None:
    assert mutating()["rules"] == [
        {
            "apiGroups": [""],
            "apiVersions": ["v1"],
            "operations": ["CREATE"],
            "resources": ["pods"],
            "scope": "Namespaced",
        }
    ]


def test_only_forklifts_convertor_pods_are_sent() -> None:
    assert mutating()["objectSelector"] == {
        "matchExpressions": [{"key": "forklift.app", "operator": "In", "values": ["virt-v2v"]}]
    }


def test_system_namespaces_and_the_own_one_are_left_out() -> None:
    assert mutating()["namespaceSelector"] == {
        "matchExpressions": [
            {
                "key": "kubernetes.io/metadata.name",
                "operator": "NotIn",
                "values": ["kube-system", "kube-public", "kube-node-lease", "migration"],
            }
        ]
    }


def test_the_own_namespace_can_be_let_in() -> None:
    (expression,) = mutating({"webhook": {"excludeReleaseNamespace": False}})["namespaceSelector"][
        "matchExpressions"
    ]

    assert "migration" not in expression["values"]


def test_no_excluded_namespace_means_no_empty_expression() -> None:
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
def test_match_conditions_are_there_where_the_cluster_has_them(
    kubernetes: str, *, has: bool
) -> None:
    assert ("matchConditions" in mutating(kubernetes=kubernetes)) is has
    assert ("matchConditions" in validating(kubernetes=kubernetes)) is has


def test_match_conditions_of_the_user_come_after_those_of_the_chart() -> None:
    own = {"name": "from-forklift", "expression": "request.userInfo.username != ''"}
    found = mutating({"webhook": {"matchConditions": [own]}})["matchConditions"]

    assert [each["name"] for each in found] == ["not-a-mirror-pod", "from-forklift"]


def test_the_webhook_fails_open_soon_and_may_be_asked_again() -> None:
    found = mutating()

    assert {key: found[key] for key in ("failurePolicy", "timeoutSeconds", "matchPolicy")} == {
        "failurePolicy": "Ignore",
        "timeoutSeconds": 3,
        "matchPolicy": "Equivalent",
    }
    assert found["reinvocationPolicy"] == "IfNeeded"
    assert found["sideEffects"] == "NoneOnDryRun"
    assert found["admissionReviewVersions"] == ["v1"]


def test_plans_are_checked_and_never_refused_for_want_of_the_webhook() -> None:
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
    names = [mutating()["name"], validating()["name"]]

    assert names == ["pods.convertor.forklift.konveyor.io", "plans.convertor.forklift.konveyor.io"]


def test_the_service_is_named_and_no_address() -> None:
    for webhook, path in ((mutating(), "/mutate"), (validating(), "/validate")):
        assert webhook["clientConfig"] == {
            "service": {
                "name": "convertor-webhook",
                "namespace": "migration",
                "path": path,
                "port": 443,
            }
        }


def test_several_replicas_stand_behind_a_cluster_address() -> None:
    deployment, service = one("Deployment")["spec"], one("Service")["spec"]

    assert deployment["replicas"] == 2
    assert deployment["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert one("PodDisruptionBudget")["spec"]["maxUnavailable"] == 1
    assert service["type"] == "ClusterIP"
    assert service["ports"][0]["port"] == 443


def test_replicas_keep_apart_where_they_can() -> None:
    constraints = one("Deployment")["spec"]["template"]["spec"]["topologySpreadConstraints"]

    assert [(each["topologyKey"], each["whenUnsatisfiable"]) for each in constraints] == [
        ("topology.kubernetes.io/zone", "ScheduleAnyway"),
        ("kubernetes.io/hostname", "ScheduleAnyway"),
    ]


def test_the_policy_that_looks_at_the_end_asks_for_our_annotation() -> None:
    values = cases.ALL["everything-on"] | {"annotationPrefix": "convertor.example.com"}
    policy = one("ValidatingAdmissionPolicy", values)["spec"]

    assert policy["failurePolicy"] == "Ignore"
    assert policy["matchConstraints"]["objectSelector"] == mutating(values)["objectSelector"]
    assert policy["matchConstraints"]["namespaceSelector"] == mutating(values)["namespaceSelector"]
    (check,) = policy["validations"]
    assert check["expression"] == (
        "has(object.metadata.annotations) && "
        "'convertor.example.com/placement' in object.metadata.annotations"
    )


def test_the_policy_takes_no_pod_for_missed_that_is_never_sent_to_the_webhook() -> None:
    own = {"name": "from-forklift", "expression": "request.userInfo.username != ''"}
    values = {"admissionPolicy": {"enabled": True}, "webhook": {"matchConditions": [own]}}
    policy = one("ValidatingAdmissionPolicy", values)["spec"]

    assert policy["matchConditions"] == mutating(values)["matchConditions"]
    assert len(policy["matchConditions"]) == 2


def test_the_notes_say_when_a_tag_is_overruled() -> None:
    image = {"tag": "9.9.9", "digest": f"sha256:{'0' * 64}"}

    assert "image.tag '9.9.9' is not used" in rendering.text({"image": image}, notes=True)
    for alone in image.items():
        assert "is not used" not in rendering.text({"image": dict([alone])}, notes=True)


def test_the_notes_name_what_is_there() -> None:
    notes = rendering.text(notes=True).partition("NOTES:")[2]

    assert "deployment convertor-webhook --namespace migration" in notes
    assert "mutatingwebhookconfiguration convertor-webhook-migration " in notes
    assert "Secret convertor-webhook-ca" in notes
