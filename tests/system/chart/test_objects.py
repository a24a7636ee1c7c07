"""Properties of the rendered objects for all values: rights, selectors, names, security."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from tests.system.chart import cases, rendering
from tests.system.chart.rendering import Json, objects, one

pytestmark = pytest.mark.chart

CONFIGURATIONS = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
CONFIGURATION_GROUP = "admissionregistration.k8s.io"
CLUSTER_SCOPED = {"ClusterRole", "ClusterRoleBinding", *CONFIGURATIONS} | {
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
}

every_case = pytest.mark.parametrize("values", cases.ALL.values(), ids=cases.ALL)


def keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from keys(each)


def rules(values: Json) -> list[Json]:
    roles = [each for each in objects(values) if each["kind"] in ("ClusterRole", "Role")]
    return [rule for role in roles for rule in role["rules"]]


@every_case
def test_no_ca_bundle_is_rendered(values: Json) -> None:
    assert "caBundle" not in set(keys(objects(values)))


@every_case
def test_every_namespaced_object_is_in_the_release_namespace(values: Json) -> None:
    for each in objects(values):
        namespace = None if each["kind"] in CLUSTER_SCOPED else rendering.NAMESPACE
        assert each["metadata"].get("namespace") == namespace
        assert each["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "Helm"


@every_case
def test_every_object_has_the_common_labels_and_annotations(values: Json) -> None:
    common = {"commonLabels": {"team": "a"}, "commonAnnotations": {"example.com/a": "b"}}
    for each in objects(values | common):
        assert each["metadata"]["labels"]["team"] == "a"
        assert each["metadata"]["annotations"]["example.com/a"] == "b"


@every_case
def test_no_rule_has_wildcards_or_dangerous_verbs(values: Json) -> None:
    for rule in rules(values):
        assert "*" not in [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]
        assert not {"escalate", "bind", "impersonate", "delete", "deletecollection"} & {
            *rule["verbs"]
        }


@every_case
def test_secrets_are_read_by_name_in_the_release_namespace_only(values: Json) -> None:
    for each in objects(values):
        for rule in each["rules"] if each["kind"] in ("ClusterRole", "Role") else []:
            if "secrets" in rule["resources"]:
                assert each["kind"] == "Role"
                assert rule["resourceNames"] == ["convertor-webhook-ca"]


@every_case
def test_rights_to_write_are_limited_by_name(values: Json) -> None:
    for rule in rules(values):
        if rule["resources"] != ["events"] and {*rule["verbs"]} & {"update", "patch"}:
            assert rule["resourceNames"]
            assert "create" not in rule["verbs"]


@pytest.mark.parametrize(
    ("values", "readable"),
    [
        ({}, {"pods", "mutatingwebhookconfigurations"}),
        (
            {"webhook": {"namespaceSelector": {"matchLabels": {"convertor": "on"}}}},
            {"pods", "mutatingwebhookconfigurations", "namespaces"},
        ),
        ({"watchPods": False}, set()),
    ],
)
def test_the_rights_to_find_missed_pods_are_those_that_are_needed(
    values: Json, readable: set[str]
) -> None:
    values |= {"certificates": {"mode": "openshift"}}
    (role,) = (each for each in objects(values) if each["kind"] == "ClusterRole")
    found = {resource for rule in role["rules"] for resource in rule["resources"]}
    names = [rule.get("resourceNames") for rule in role["rules"]]

    assert found == {"plans", "nodes", "events"} | readable
    assert names.count([role["metadata"]["name"]]) == bool(readable)


def test_every_rule_has_a_comment() -> None:
    lines = (rendering.CHART / "templates" / "rbac.yaml").read_text().splitlines()
    starts = [number for number, line in enumerate(lines) if "- apiGroups:" in line]

    assert starts
    assert [lines[number] for number in starts if not lines[number - 1].startswith("  # ")] == []


@every_case
def test_every_pod_is_restricted(values: Json) -> None:
    if values.get("securityContext", {}) is None:
        values = values | {"securityContext": {}, "podSecurityContext": {}}
    for pod in rendering.pod_specs(objects(values)):
        (container,) = pod["containers"]
        assert pod["securityContext"] == {
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {*map(_kind, pod.get("volumes", []))} <= {"configMap", "secret", "emptyDir"}
        assert pod["enableServiceLinks"] is False


def _kind(volume: Json) -> str:
    (kind,) = {*volume} - {"name"}
    return kind


@every_case
def test_every_pod_has_requests_and_no_cpu_limit(values: Json) -> None:
    if "resources" in values:
        values = values | {"resources": {}}
    for pod in rendering.pod_specs(objects(values)):
        (container,) = pod["containers"]
        assert {*container["resources"]["requests"]} == {"cpu", "memory"}
        assert {*container["resources"]["limits"]} == {"memory"}


@every_case
def test_volumes_and_mounts_match(values: Json) -> None:
    for pod in rendering.pod_specs(objects(values)):
        (container,) = pod["containers"]
        mounted = [mount["name"] for mount in container.get("volumeMounts", [])]
        assert mounted == [volume["name"] for volume in pod.get("volumes", [])]


@every_case
def test_selectors_select_only_the_pods_of_the_server(values: Json) -> None:
    server = one("Deployment", values)["spec"]["template"]
    test = one("Pod", values)["metadata"]["labels"]
    spread = server["spec"]["topologySpreadConstraints"]
    selectors = [each["labelSelector"] for each in spread]
    for each in objects(values):
        spec = each.get("spec", {})
        found = [spec.get("selector"), spec.get("podSelector")]
        selectors += [selector for selector in found if selector]

    assert len(selectors) >= 4
    for selector in selectors:
        required = selector.get("matchLabels", selector).items()
        assert required <= server["metadata"]["labels"].items()
        assert not required <= test.items()


def test_the_selector_in_the_docs_selects_only_the_pods_of_the_server() -> None:
    key = "app.kubernetes.io/name"
    server = one("Deployment")["spec"]["template"]["metadata"]["labels"]

    assert server[key] == "convertor-webhook"
    assert one("Pod")["metadata"]["labels"][key] == "convertor-webhook-test"


def test_the_network_policy_admits_the_test_pod() -> None:
    values = cases.ALL["restricted-network"]
    policy = one("NetworkPolicy", values)["spec"]
    labels = one("Pod", values)["metadata"]["labels"]
    (reviews,) = (rule for rule in policy["ingress"] if rule["ports"][0]["port"] == "webhook")
    (status,) = (rule for rule in policy["ingress"] if rule["ports"][0]["port"] == "status")
    selected = [peer["podSelector"]["matchLabels"] for peer in status["from"][1:]]

    assert "from" not in reviews
    assert status["from"][:1] == values["networkPolicy"]["metricsFrom"]
    assert [wanted.items() <= labels.items() for wanted in selected] == [True]


def test_with_host_network_an_old_pod_is_stopped_first() -> None:
    spec = one("Deployment", {"hostNetwork": True})["spec"]

    assert spec["template"]["spec"]["hostNetwork"] is True
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 1, "maxSurge": 0}


def test_the_test_pod_is_kept_for_its_logs() -> None:
    annotations = one("Pod")["metadata"]["annotations"]

    assert annotations["helm.sh/hook-delete-policy"] == "before-hook-creation"


def test_only_the_test_pod_is_a_hook() -> None:
    hooks = [
        each
        for each in objects(cases.ALL["everything-on"])
        if "helm.sh/hook" in each["metadata"].get("annotations", {})
    ]

    assert [(each["kind"], each["metadata"]["name"]) for each in hooks] == [
        ("Pod", "convertor-webhook-test")
    ]


def test_the_secret_is_rendered_without_data() -> None:
    secret = one("Secret")

    assert secret["metadata"]["name"] == "convertor-webhook-ca"
    assert not {"data", "stringData"} & {*secret}


@pytest.mark.parametrize("mode", cases.MODES)
def test_certificates_are_for_the_name_that_the_api_server_calls(mode: str) -> None:
    values = cases.MODES[mode]
    name = one("Service", values)["metadata"]["name"]
    for kind in CONFIGURATIONS:
        (webhook,) = one(kind, values)["webhooks"]
        service = webhook["clientConfig"]["service"]
        assert (service["name"], service["namespace"]) == (name, rendering.NAMESPACE)
    if mode == "cert-manager":
        leaf = one("Certificate", values, name="convertor-webhook-cert-manager-tls")
        assert leaf["spec"]["dnsNames"][0] == f"{name}.{rendering.NAMESPACE}.svc"
    if mode == "self-managed":
        args = rendering.container(values)["args"]
        assert f"--certs-service={rendering.NAMESPACE}/{name}" in args


def test_each_mode_uses_one_name_for_its_secret() -> None:
    openshift, manager = cases.MODES["openshift"], cases.MODES["cert-manager"]
    annotations = one("Service", openshift)["metadata"]["annotations"]
    leaf = one("Certificate", manager, name="convertor-webhook-cert-manager-tls")
    injected = one("MutatingWebhookConfiguration", manager)["metadata"]["annotations"]

    assert annotations["service.beta.openshift.io/serving-cert-secret-name"] == _tls(openshift)
    assert leaf["spec"]["secretName"] == _tls(manager)
    assert injected["cert-manager.io/inject-ca-from"] == f"migration/{leaf['metadata']['name']}"
    assert _tls(cases.MODES["provided"]) == "tls"


def test_each_mode_uses_another_secret() -> None:
    """Helm and OpenShift's service CA reject an existing Secret of another owner."""
    secrets = [{_tls(cases.MODES["openshift"])}, {_tls(cases.MODES["provided"])}]
    for mode in ("self-managed", "cert-manager"):
        of_mode = objects(cases.MODES[mode])
        rendered = {each["metadata"]["name"] for each in of_mode if each["kind"] == "Secret"}
        issued = {each["spec"]["secretName"] for each in of_mode if each["kind"] == "Certificate"}
        secrets.append(rendered | issued)

    assert [len(each) for each in secrets] == [1, 1, 1, 2]
    assert len(set().union(*secrets)) == 5


def _tls(values: Json) -> str:
    volumes = one("Deployment", values)["spec"]["template"]["spec"]["volumes"]
    (name,) = (each["secret"]["secretName"] for each in volumes if each["name"] == "tls")
    return str(name)


@pytest.mark.parametrize("mode", ["cert-manager", "openshift"])
def test_with_an_injector_the_server_has_no_right_to_write_the_bundle(mode: str) -> None:
    values = cases.MODES[mode]

    assert [
        rule["verbs"] for rule in rules(values) if CONFIGURATION_GROUP in rule["apiGroups"]
    ] == [["get"]]
    assert not any("certs-webhook-config" in arg for arg in rendering.container(values)["args"])
    for kind in CONFIGURATIONS:
        (annotation,) = one(kind, values)["metadata"]["annotations"]
        assert re.search("inject", annotation)


@pytest.mark.parametrize(
    ("release", "name"),
    [
        ("r", "r-convertor-webhook"),
        ("convertor-webhook", "convertor-webhook"),
        ("my-convertor-webhook", "my-convertor-webhook"),
        ("team.migration", "team-migration-convertor-webhook"),
        ("a" * 53, "a" * 53 + "-convertor"),
    ],
)
def test_names_derive_from_the_release_and_are_dns_labels(release: str, name: str) -> None:
    rendered = objects(cases.ALL["everything-on"], release=release, namespace="n" * 63)

    check_names(rendered, name)


def check_names(rendered: list[Json], name: str) -> None:
    """Check that the API server accepts names and labels, and that this is the Service's name."""
    assert {"Service", "Deployment"} <= {
        each["kind"] for each in rendered if each["metadata"]["name"] == name
    }
    for each in rendered:
        limit = 63 if each["kind"] in ("Service", "Deployment") else 253
        assert re.fullmatch(f"[a-z][-a-z0-9]{{0,{limit - 1}}}(?<!-)", each["metadata"]["name"])
        for value in each["metadata"]["labels"].values():
            assert re.fullmatch("(?![-_.])[-A-Za-z0-9_.]{1,63}(?<![-_.])", value)


@pytest.mark.parametrize(
    ("alias", "release", "name"),
    [
        ("convertorWebhook", "mtv", "mtv-convertorwebhook"),
        ("convertor_webhook", "mtv", "mtv-convertor-webhook"),
        ("Placement", "my-placement", "my-placement"),
        ("_Placement_", "mtv", "mtv-placement"),
        ("Placement--" + "x" * 60, "r" * 52, "r" * 52 + "-placement"),
        ("_", "mtv", "mtv-convertor-webhook"),
        ("1st", "mtv", "mtv-1st"),
    ],
)
def test_names_derive_from_the_alias_of_a_dependency(
    alias: str, release: str, name: str, tmp_path: Path
) -> None:
    values = cases.ALL["everything-on"]
    rendered = rendering.as_dependency(alias, tmp_path, values, release=release)

    check_names(rendered, name)


def test_names_that_yaml_reads_as_other_types_are_quoted() -> None:
    values: Json = {
        **cases.ALL["everything-on"],
        "nameOverride": "101",
        "fullnameOverride": "true",
        "image": {"registry": "", "repository": "102", "tag": "30"},
        "imagePullSecrets": [{"name": "103"}],
        "serviceAccount": {"name": "104"},
        "priorityClassName": "105",
        "clientCA": {"configMapName": "106", "key": "107"},
        "hubKubeconfig": {"secretName": "108", "key": "109"},
        "namespaceModes": {"110": "audit"},
    }
    provided: Json = {"mode": "provided", "provided": {"secretName": "111"}}
    for certificates in (provided, cases.ALL["own-issuer"]["certificates"]):
        rendered = objects(values | {"certificates": certificates}, release="on", namespace="112")
        for each in rendered:
            if each["apiVersion"] in ("v1", "apps/v1") or "k8s.io" in each["apiVersion"]:
                kubernetes_validate.validate(each, rendering.NEWEST, strict=True)
            assert each["metadata"]["name"].startswith(("true", "104"))
            assert each["metadata"].get("namespace", "112") == "112"
            assert each["metadata"]["labels"]["app.kubernetes.io/instance"] == "on"
            assert not {*range(101, 113)} & {*_numbers(each)}


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, int | float):
        yield value
    if isinstance(value, dict):
        value = list(value.values())
    for each in value if isinstance(value, list) else ():
        yield from _numbers(each)


def test_an_invalid_service_name_is_an_error_with_a_hint() -> None:
    with pytest.raises(
        rendering.ChartError, match=r"must begin with a letter.*set fullnameOverride"
    ):
        rendering.text(release="1st")


def test_releases_of_one_name_have_different_cluster_scoped_names() -> None:
    names = [
        {each["metadata"]["name"] for each in rendered if each["kind"] in CLUSTER_SCOPED}
        for rendered in (objects(namespace="a"), objects(namespace="b"))
    ]

    assert not names[0] & names[1]
