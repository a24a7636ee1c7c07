"""Properties of the rendered objects for all values: rights, selectors, names, security."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from tests.system.chart import cases, rendering
from tests.system.chart.rendering import Json, objects, one
from webhook.kube import quantity
from webhook.kube.api.kubeconfig.find import SERVICE_ACCOUNT

pytestmark = pytest.mark.chart

CONFIGURATIONS = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
DISKS = {"persistentvolumeclaims", "persistentvolumes", "storageclasses"}
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


@pytest.mark.parametrize("case", cases.ALL.keys() - {"provided-ca-bundle"})
def test_no_ca_bundle_is_rendered(case: str) -> None:
    assert "caBundle" not in set(keys(objects(cases.ALL[case])))


@every_case
def test_every_namespaced_object_is_in_the_release_namespace(values: Json) -> None:
    for each in objects(values):
        namespace = None if each["kind"] in CLUSTER_SCOPED else rendering.NAMESPACE
        if not _is_of_watched_pods(each):
            assert each["metadata"].get("namespace") == namespace
        assert each["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "Helm"


def _is_of_watched_pods(each: Json) -> bool:
    """Return True for the roles of `watchPodsNamespaces`, which are in other namespaces."""
    name: str = each["metadata"]["name"]
    return name == "convertor-webhook-migration-pods"


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
        ({"watchPods": False, "watchPodsNamespaces": ["a"]}, set()),
        ({"watchPodsNamespaces": ["a"]}, {"mutatingwebhookconfigurations"}),
    ],
)
def test_the_rights_to_find_missed_pods_are_those_that_are_needed(
    values: Json, readable: set[str]
) -> None:
    values |= {"certificates": {"mode": "openshift"}}
    (role,) = (each for each in objects(values) if each["kind"] == "ClusterRole")
    found = {resource for rule in role["rules"] for resource in rule["resources"]}
    names = [rule.get("resourceNames") for rule in role["rules"]]

    assert found == {"plans", "nodes", "events", *DISKS} | readable
    assert names.count([role["metadata"]["name"]]) == bool(readable)


def test_the_right_to_watch_pods_can_be_limited_to_namespaces() -> None:
    values = cases.ALL["watched-namespaces"]
    rendered = [each for each in objects(values) if _is_of_watched_pods(each)]
    account = one("ServiceAccount", values)["metadata"]["name"]
    pods = {"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "watch"]}

    for namespace in ("production", "staging"):
        role, binding = (each for each in rendered if each["metadata"]["namespace"] == namespace)
        assert (role["kind"], role["rules"]) == ("Role", [pods])
        assert binding["roleRef"]["kind"] == "Role"
        assert binding["roleRef"]["name"] == role["metadata"]["name"]
        assert binding["subjects"] == [
            {"kind": "ServiceAccount", "name": account, "namespace": rendering.NAMESPACE}
        ]
    others = [each for each in objects(values) if each not in rendered and "rules" in each]
    readable = {
        resource: rule.get("resourceNames")
        for each in others
        for rule in each["rules"]
        for resource in rule["resources"]
    }
    assert "pods" not in readable
    assert readable["namespaces"] == ["production", "staging"]
    assert [arg for arg in rendering.container(values)["args"] if "watch-pods" in arg] == [
        "--watch-pods",
        "--watch-pods-namespace=production",
        "--watch-pods-namespace=staging",
    ]


@pytest.mark.parametrize("values", [{"watchPods": False}, {"rbac": {"create": False}}])
def test_without_a_watch_or_roles_there_are_none_in_other_namespaces(values: Json) -> None:
    assert not [
        each
        for each in objects(cases.ALL["watched-namespaces"] | values)
        if _is_of_watched_pods(each)
    ]


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
        assert {*map(_kind, pod.get("volumes", []))} <= {
            "configMap",
            "secret",
            "emptyDir",
            "projected",
        }
        assert pod["enableServiceLinks"] is False


@every_case
def test_the_token_of_the_server_is_valid_for_an_hour(values: Json) -> None:
    """API servers extend a token of 3607 s, which is that of automatic mounts, to a year."""
    tokens: list[tuple[str, Json]] = []
    for pod in rendering.pod_specs(objects(values)):
        assert pod["automountServiceAccountToken"] is False
        (container,) = pod["containers"]
        mounts = {each["name"]: each["mountPath"] for each in container.get("volumeMounts", [])}
        for volume in pod.get("volumes", []):
            tokens += [
                (mounts[volume["name"]], source["serviceAccountToken"])
                for source in volume.get("projected", {}).get("sources", [])
                if "serviceAccountToken" in source
            ]

    assert tokens == [(str(SERVICE_ACCOUNT), {"path": "token", "expirationSeconds": 3600})]


def _kind(volume: Json) -> str:
    (kind,) = {*volume} - {"name"}
    return kind


@every_case
def test_every_pod_has_requests_and_no_cpu_limit(values: Json) -> None:
    if "resources" in values:
        values = values | {"resources": {}, "test": {}}
    for pod in rendering.pod_specs(objects(values)):
        (container,) = pod["containers"]
        assert {*container["resources"]["requests"]} == {"cpu", "memory", "ephemeral-storage"}
        assert {*container["resources"]["limits"]} == {"memory", "ephemeral-storage"}


def test_ephemeral_storage_can_be_left_out() -> None:
    """A kubelet that does not count it reports none, and a limit alone is a request too."""
    none = {kind: {"ephemeral-storage": None} for kind in ("requests", "limits")}
    for pod in rendering.pod_specs(objects({"resources": none, "test": {"resources": none}})):
        assert "ephemeral-storage" not in {*keys(pod)}


def test_a_full_log_does_not_evict_the_server() -> None:
    """The kubelet counts the rotated logs of a container and of the one before its last restart."""
    largest_log = 5 * 50 << 20  # containerLogMaxFiles of containerLogMaxSize, of some platforms
    limits = rendering.container()["resources"]["limits"]

    # The kubelet rotates logs every 10 s, so that a file may be larger.
    assert quantity.parse(limits["ephemeral-storage"]) > 1.5 * 2 * largest_log


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
        if each["kind"] == "NetworkPolicy" and each["metadata"]["name"].endswith("-test"):
            continue
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


def policy(name: str, values: Json | None = None) -> Json:
    """Return the spec of a NetworkPolicy."""
    found = one("NetworkPolicy", values, name=name)["spec"]
    assert isinstance(found, dict)
    return found


def test_the_network_policy_admits_every_client_to_the_two_ports_of_the_server() -> None:
    server = policy("convertor-webhook", {"ports": {"webhook": 9443, "status": 9080}})

    assert server["policyTypes"] == ["Ingress"]
    assert server["ingress"] == [
        {"ports": [{"port": port, "protocol": "TCP"}]} for port in (9443, 9080)
    ]


def test_the_network_policy_admits_the_test_pod() -> None:
    values = cases.ALL["restricted-network"]
    server = policy("convertor-webhook", values)
    labels = one("Pod", values)["metadata"]["labels"]

    for rule, peers in zip(server["ingress"], ("reviewsFrom", "metricsFrom"), strict=True):
        *given, test = rule["from"]
        assert given == values["networkPolicy"][peers]
        assert test["podSelector"]["matchLabels"].items() <= labels.items()


def test_the_test_pod_can_reach_the_server_and_dns_only() -> None:
    test = policy("convertor-webhook-test")
    server = one("Deployment")["spec"]["template"]["metadata"]["labels"]
    to_server, dns = test["egress"]
    (peer,) = to_server["to"]

    selected = test["podSelector"]["matchLabels"]
    assert selected.items() <= one("Pod")["metadata"]["labels"].items()
    assert not selected.items() <= server.items()
    assert test["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in test
    assert peer["podSelector"]["matchLabels"].items() <= server.items()
    assert {*to_server} == {"to"}
    assert {(each["port"], each["protocol"]) for each in dns["ports"]} == {
        (port, protocol) for port in (53, 5353) for protocol in ("UDP", "TCP")
    }


def test_with_host_network_only_the_test_pod_has_a_network_policy() -> None:
    values: Json = {"hostNetwork": True, "ports": {"webhook": 9443, "status": 8080}}
    (found,) = (each for each in objects(values) if each["kind"] == "NetworkPolicy")
    to_server, _dns = found["spec"]["egress"]

    assert found["metadata"]["name"] == "convertor-webhook-test"
    assert [each["port"] for each in to_server["ports"]] == [443, 8080, 9443]
    assert "to" not in to_server


@every_case
def test_network_policies_have_numbers_of_ports(values: Json) -> None:
    """OVN-Kubernetes, the default of OpenShift, allows every port in place of a named one."""
    policies = [each["spec"] for each in objects(values) if each["kind"] == "NetworkPolicy"]
    rules = [
        rule for spec in policies for rule in [*spec.get("ingress", ()), *spec.get("egress", ())]
    ]
    assert all(isinstance(port["port"], int) for rule in rules for port in rule.get("ports", ()))


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
        for webhook in one(kind, values)["webhooks"]:
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
