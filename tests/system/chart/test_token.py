"""The admission policy on the server's ServiceAccount, and a CA that it has no right to change."""

import base64
import json
import shutil
from pathlib import Path
from textwrap import indent

import pytest
import yaml

from certs.ca.certificate import parse_pem
from tests.system.chart import cases, rendering
from tests.system.chart.rendering import Json, objects, one

pytestmark = pytest.mark.chart

POLICY = "convertor-webhook-migration-token"


def policies(values: Json, **options: str) -> list[tuple[str, str]]:
    return [
        (each["kind"], each["metadata"]["name"])
        for each in objects(values, **options)
        if each["kind"].startswith("ValidatingAdmissionPolicy")
    ]


@pytest.mark.parametrize("kubernetes", ["1.25", "1.29.14", "1.30.0", "1.30.0-gke.100", "1.37"])
@pytest.mark.parametrize("mode", cases.MODES)
def test_the_policy_is_rendered_if_kubernetes_has_policies(mode: str, kubernetes: str) -> None:
    expected = [
        ("ValidatingAdmissionPolicy", POLICY),
        ("ValidatingAdmissionPolicyBinding", POLICY),
    ]
    has_policies = kubernetes not in ("1.25", "1.29.14")

    found = policies(cases.MODES[mode], kubernetes=kubernetes)

    assert sorted(found) == (expected if has_policies else [])


def test_the_policy_is_rendered_if_the_roles_are_not() -> None:
    """Other roles may grant the server more."""
    assert len(policies({"rbac": {"create": False}})) == 2


@pytest.mark.parametrize(
    ("values", "account"),
    [
        ({}, "mtv-convertor-webhook"),
        ({"serviceAccount": {"name": "placement.server"}}, "placement.server"),
        ({"serviceAccount": {"create": False, "name": "own"}}, "own"),
        ({"serviceAccount": {"create": False}}, "default"),
        ({"fullnameOverride": "placement"}, "placement"),
    ],
)
def test_the_policy_is_for_the_account_of_the_pods(values: Json, account: str) -> None:
    name = f"{values.get('fullnameOverride', 'mtv-convertor-webhook')}-vms-token"
    policy = one("ValidatingAdmissionPolicy", values, release="mtv", namespace="vms")
    binding = one("ValidatingAdmissionPolicyBinding", values, release="mtv", namespace="vms")
    deployment = one("Deployment", values, release="mtv", namespace="vms")

    assert deployment["spec"]["template"]["spec"]["serviceAccountName"] == account
    assert policy["metadata"]["name"] == binding["spec"]["policyName"] == name
    assert policy["spec"]["failurePolicy"] == "Fail"
    (condition,) = policy["spec"]["matchConditions"]
    username = f"system:serviceaccount:vms:{account}"
    assert condition["expression"] == f"request.userInfo.username == '{username}'"
    assert binding["spec"]["validationActions"] == ["Deny", "Audit"]


def test_the_policy_has_the_secret_that_the_server_may_update() -> None:
    """By name, so that the writes of other Secrets of the cluster are not evaluated."""

    def secrets(mode: str) -> list[list[str]]:
        spec = one("ValidatingAdmissionPolicy", cases.MODES[mode])["spec"]
        rules = spec["matchConstraints"]["resourceRules"]
        return [rule["resourceNames"] for rule in rules if rule["resources"] == ["secrets"]]

    assert secrets("self-managed") == [["convertor-webhook-ca"]]
    assert secrets("provided") == []
    rule = next(rule for rule in one("Role")["rules"] if rule["resources"] == ["secrets"])
    assert rule["resourceNames"] == ["convertor-webhook-ca"]


@pytest.mark.parametrize("mode", cases.MODES)
def test_no_role_has_rights_on_policies(mode: str) -> None:
    for each in objects(cases.MODES[mode]):
        for rule in each["rules"] if each["kind"] in ("ClusterRole", "Role") else []:
            assert not any("polic" in resource for resource in rule["resources"])


def test_the_policy_on_the_account_has_another_name_than_the_one_on_pods() -> None:
    found = policies({"admissionPolicy": {"enabled": True}})

    assert len({name for _, name in found}) == 2
    assert len(found) == 4


@pytest.mark.parametrize("kubernetes", ["1.29.14", "1.30.0"])
@pytest.mark.parametrize("profile", [{}, {"runtimeClass": "kata"}])
def test_the_right_to_create_pods_is_granted_with_the_policy_that_limits_it(
    profile: Json, kubernetes: str
) -> None:
    found = objects({"convertor": profile}, kubernetes=kubernetes)
    rules = [rule for each in found if each["kind"] == "ClusterRole" for rule in each["rules"]]
    limited = [
        rule["resources"]
        for each in found
        if each["kind"] == "ValidatingAdmissionPolicy"
        for rule in each["spec"]["matchConstraints"]["resourceRules"]
    ]

    granted = ["pods"] in [rule["resources"] for rule in rules if "create" in rule["verbs"]]
    assert granted is (["pods"] in limited) is (bool(profile) and kubernetes == "1.30.0")


def provided(bundle: str | None) -> Json:
    return {
        "certificates": {"mode": "provided", "provided": {"secretName": "t", "caBundle": bundle}}
    }


@pytest.mark.parametrize("planned", [True, False], ids=["with-plans", "without-plans"])
@pytest.mark.parametrize("count", [1, 2])
def test_a_ca_bundle_of_the_values_is_rendered_in_every_webhook(planned: bool, count: int) -> None:
    bundle = "\n".join(cases.make_ca() for _ in range(count))
    values = provided(bundle) | {"planValidation": {"enabled": planned}}
    rendered = [
        base64.b64decode(webhook["clientConfig"]["caBundle"]).decode()
        for each in objects(values)
        for webhook in each.get("webhooks", [])
    ]

    assert rendered == [bundle] * (3 + planned)
    assert len(parse_pem(rendered[0].encode())) == count


@pytest.mark.parametrize("watches", [True, False])
def test_with_a_ca_bundle_of_the_values_the_server_has_no_right_to_change_it(watches: bool) -> None:
    values = provided(cases.make_ca()) | {"watchPods": watches}
    found = objects(values)
    verbs = [
        rule["verbs"]
        for each in found
        for rule in each.get("rules", [])
        if "admissionregistration.k8s.io" in rule["apiGroups"]
    ]
    args = rendering.container(values)["args"]

    assert verbs == ([["get"]] if watches else [])
    assert not {"Role", "Secret"} & {each["kind"] for each in found}
    assert not any(arg.startswith("--certs-webhook-config") for arg in args)
    assert "--certs-service=migration/convertor-webhook" in args


@pytest.mark.parametrize("text", [None, "\n", " \n\n"])
def test_an_empty_ca_bundle_is_none(text: str | None) -> None:
    assert objects(provided(text)) == objects(provided(""))


@pytest.mark.parametrize("major", [3, 4])
@pytest.mark.parametrize(
    "text",
    [
        "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t",
        "/etc/ca.crt",
        "-----BEGIN CERTIFICATE-----",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        f"{cases.make_ca()}-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n",
        f"{cases.make_ca()} and more",
        indent(cases.make_ca(), "  "),
    ],
    ids=range(7),
)
def test_a_ca_bundle_that_is_not_pem_or_has_a_key_is_rejected_without_printing_it(
    text: str, major: int
) -> None:
    with pytest.raises(rendering.ChartError) as raised:
        rendering.text(provided(text), major=major)

    assert "certificates.provided.caBundle is not a list of certificates in PEM" in str(
        raised.value
    )
    assert "openssl x509 -in FILE -out ca.crt" in str(raised.value)
    assert "PRIVATE" not in str(raised.value)


@pytest.mark.parametrize("major", [3, 4])
def test_a_ca_bundle_may_have_line_ends_of_windows(major: int) -> None:
    bundle = (cases.make_ca() + cases.make_ca()).replace("\n", "\r\n")
    (found, *_) = (each for each in objects(provided(bundle), major=major) if "webhooks" in each)
    rendered = base64.b64decode(found["webhooks"][0]["clientConfig"]["caBundle"])

    assert len(parse_pem(rendered)) == 2


@pytest.fixture(scope="module")
def noted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the chart that renders its notes as a ConfigMap.

    Helm prints notes for an installation only, and that is never for another Kubernetes release.
    """
    chart = tmp_path_factory.mktemp("noted") / "chart"
    shutil.copytree(rendering.CHART, chart)
    (chart / "templates" / "notes.yaml").write_text(
        'kind: Notes\ntext: {{ include (print .Template.BasePath "/NOTES.txt") . | toJson }}\n'
    )
    return chart


def notes(chart: Path, values: Json, kubernetes: str) -> str:
    options = ("--namespace", "vms", "--kube-version", kubernetes, "--values", "-")
    rendered = rendering.helm("template", "mtv", str(chart), *options, stdin=json.dumps(values))
    (found,) = (each for each in yaml.safe_load_all(rendered) if each["kind"] == "Notes")
    return " ".join(found["text"].split())


CLUSTER_ADMIN = (
    "WARNING: before Kubernetes 1.30 a token of the ServiceAccount vms/mtv-convertor-webhook is "
    "worth cluster-admin"
)
EVENTS = "a token of the ServiceAccount vms/mtv-convertor-webhook may write Events on any object"
WITHOUT = "For a server without this right use certificates.mode=cert-manager, or"


@pytest.mark.parametrize(
    ("case", "texts"),
    [
        (
            "self-managed",
            [CLUSTER_ADMIN, f"{WITHOUT} mode provided with certificates.provided.caBundle."],
        ),
        ("provided", [CLUSTER_ADMIN, f"{WITHOUT} set certificates.provided.caBundle."]),
        ("provided-ca-bundle", [EVENTS]),
        ("cert-manager", [EVENTS]),
        ("openshift", [EVENTS]),
        ("hub", [CLUSTER_ADMIN, f"{WITHOUT} mode provided"]),
    ],
)
def test_before_kubernetes_1_30_the_notes_have_the_worth_of_the_token(
    case: str, texts: list[str], noted: Path
) -> None:
    old, new = (notes(noted, cases.ALL[case], kubernetes) for kubernetes in ("1.29.9", "1.30.0"))

    for text in (CLUSTER_ADMIN, EVENTS, WITHOUT):
        assert (text in old) is any(text in expected for expected in texts), text
        assert text not in new
    assert all(text in old for text in texts)


@pytest.mark.parametrize("kubernetes", ["1.29.9", "1.30.0"])
def test_the_notes_mention_an_account_that_others_may_use(kubernetes: str, noted: Path) -> None:
    text = "Every pod with the ServiceAccount vms/default, which the chart has not created, has the"
    limits = "no other change of a webhook configuration"
    found = notes(noted, {"serviceAccount": {"create": False}}, kubernetes)

    assert text in found
    assert (limits in found) is (kubernetes == "1.30.0")
    assert "Every pod with" not in notes(noted, {"serviceAccount": {"name": "own"}}, kubernetes)


@pytest.mark.parametrize(
    ("profile", "kubernetes", "text"),
    [
        ({}, "1.30.0", ""),
        ({"runtimeClass": "kata"}, "1.30.0", "the server sends a pod with it as a dry run"),
        ({"runtimeClass": "kata"}, "1.29.9", "check it before you migrate:"),
        ({"namespaces": {"vms": {"env": {"A": "b"}}}}, "1.29.9", "check it before you migrate:"),
    ],
)
def test_the_notes_have_the_check_of_the_profile(
    profile: Json, kubernetes: str, text: str, noted: Path
) -> None:
    found = notes(noted, {"convertor": profile}, kubernetes)

    assert text in found
    assert ("A wrong value stops every migration" in found) is bool(profile)
