"""docs/security.md has exactly the rights of the real token, in each certificate mode."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import NamedTuple

import pytest

from tests.system.chart import cases
from tests.system.chart.documented_rights import EVERYWHERE, Right, rights_of
from tests.system.chart.rendering import Json, merge
from tests.system.controlplane.api import Api, unwrap
from tests.system.controlplane.cluster import ControlPlane
from tests.system.controlplane.installed import Installed
from tests.system.e2e.preparation import add_namespace

COLUMNS = {"provided-ca-bundle": "provided with caBundle"}
WATCHED, OTHER = "rights-watched", "rights-other"
VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
SPECIAL = {
    Right("impersonate", "users", ""),
    Right("impersonate", "serviceaccounts", OTHER),
    Right("bind", "clusterroles.rbac.authorization.k8s.io", ""),
    Right("escalate", "clusterroles.rbac.authorization.k8s.io", ""),
    Right("approve", "signers.certificates.k8s.io", ""),
    Right("use", "podsecuritypolicies.policy", ""),
}
"""Verbs that discovery does not list."""

VARIANTS: dict[str, Json] = {
    **{mode: values | {"watchPodsNamespaces": []} for mode, values in cases.MODES.items()},
    "self-managed, pods of a namespace": {
        "watchPodsNamespaces": [WATCHED],
        "webhook": {"namespaceSelector": {"matchLabels": {"e2e": "never"}}},
    },
    "openshift, no pods": cases.MODES["openshift"]
    | {"watchPods": False, "limits": {"roles": ["convertor", "inspection"]}},
    "self-managed, profile and priority classes": {
        "convertor": {"runtimeClass": "kata"},
        "limits": {"roles": ["convertor"], "priorityClasses": ["migration"]},
    },
    "self-managed, hub": {"hubKubeconfig": {"secretName": "hub"}},
}


class Subject(NamedTuple):
    """A release, its documented rights, and clients as its account and as one without rights."""

    rights: set[Right]
    namespace: str
    token: Api
    powerless: Api
    admin: Api
    account: str

    @property
    def namespaces(self) -> list[str]:
        return [self.namespace, WATCHED, OTHER]


@pytest.fixture(scope="module")
def cert_manager(api: Api) -> None:
    """Install the kinds of cert-manager that the chart renders."""
    for kind in ("Certificate", "Issuer"):
        api.ensure(definition(kind))


@pytest.fixture(scope="module", params=VARIANTS)
def subject(
    request: pytest.FixtureRequest, plane: ControlPlane, cert_manager: None
) -> Iterator[Subject]:
    admin = plane.admin
    number = list(VARIANTS).index(request.param)
    namespace = f"rights-{number}"
    for name in [namespace, *([WATCHED, OTHER] if number == 0 else [])]:
        add_namespace(admin, name)
    for name in (namespace, OTHER):
        metadata = {"name": "powerless", "namespace": name}
        admin.ensure({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
    values = merge({"mode": "audit"}, VARIANTS[request.param])
    release = Installed(plane, "convertor-webhook", namespace, values)
    release.install()
    mode = request.param.partition(",")[0]
    try:
        with (
            closing(Api(plane.url, plane.ca, admin.token(release.account, namespace))) as token,
            closing(Api(plane.url, plane.ca, admin.token("powerless", namespace))) as powerless,
        ):
            rights = rights_of(COLUMNS.get(mode, mode), values, namespace)
            account = f"system:serviceaccount:{namespace}:{release.account}"
            yield Subject(rights, namespace, token, powerless, admin, account)
    finally:
        release.uninstall()


def test_the_api_server_lists_the_documented_rights_of_the_token(subject: Subject) -> None:
    """As `kubectl auth can-i --list` does."""
    for namespace in subject.namespaces:
        found = listed(subject.token, namespace) - listed(subject.powerless, namespace)
        expected = {
            right._replace(namespace="")
            for right in subject.rights
            if right.namespace in ("", EVERYWHERE, namespace)
        }
        assert found == expected, namespace


def test_no_other_request_of_the_account_is_authorized(subject: Subject) -> None:
    """As `kubectl auth can-i --as` reviews it; once for every verb on every resource."""
    requests = {*SPECIAL, *concrete(subject)}
    if subject.namespace == "rights-0":
        requests |= {*universe(subject)}
    of_everyone = everyone(subject)
    for right in requests:
        documented = any(grants(each, right) for each in subject.rights)
        assert authorized(subject, right) is documented or right in of_everyone, right


def test_attempts_as_the_account_are_answered_as_documented(subject: Subject) -> None:
    """Real requests, impersonating the account, and with the token itself."""
    headers = impersonation(subject)
    attempts = {
        "/api/v1/pods": Right("list", "pods", EVERYWHERE),
        f"/api/v1/namespaces/{WATCHED}/pods": Right("list", "pods", WATCHED),
        f"/api/v1/namespaces/{OTHER}/pods": Right("list", "pods", OTHER),
        "/api/v1/nodes": Right("list", "nodes", ""),
        "/api/v1/secrets": Right("list", "secrets", EVERYWHERE),
        f"/api/v1/namespaces/{subject.namespace}/secrets": Right(
            "list", "secrets", subject.namespace
        ),
        "/api/v1/configmaps": Right("list", "configmaps", EVERYWHERE),
        "/api/v1/persistentvolumeclaims": Right("list", "persistentvolumeclaims", EVERYWHERE),
        "/api/v1/persistentvolumes": Right("list", "persistentvolumes", ""),
        "/apis/storage.k8s.io/v1/storageclasses": Right(
            "list", "storageclasses.storage.k8s.io", ""
        ),
        f"/api/v1/namespaces/{WATCHED}": Right("get", "namespaces", "", WATCHED),
        f"/api/v1/namespaces/{OTHER}": Right("get", "namespaces", "", OTHER),
        "/apis/forklift.konveyor.io/v1beta1/plans": Right(
            "list", "plans.forklift.konveyor.io", EVERYWHERE
        ),
    }
    for path, right in attempts.items():
        expected = any(grants(each, right) for each in subject.rights)
        impersonated = subject.admin.http.get(path, headers=headers)
        assert impersonated.is_success is expected, path
        assert subject.token.send("GET", path).is_success is expected, path


def test_the_token_cannot_become_another_user(subject: Subject) -> None:
    for user in ("admin", f"system:serviceaccount:{OTHER}:powerless"):
        response = subject.token.http.get("/api/v1/namespaces", headers={"Impersonate-User": user})
        assert response.status_code == 403
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    for namespace in (subject.namespace, OTHER):
        for name in (subject.account.rpartition(":")[2], "powerless"):
            path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
            assert subject.token.send("POST", path, request).status_code == 403


def listed(api: Api, namespace: str) -> set[Right]:
    """Return the rules that the API server lists for a client in a namespace."""
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    }
    path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
    status = unwrap(api.send("POST", path, review))["status"]
    assert not status["incomplete"]
    return {
        Right(verb, f"{resource}.{group}".rstrip("."), "", name)
        for rule in status["resourceRules"]
        for verb in rule["verbs"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames", [""])
    }


def universe(subject: Subject) -> Iterator[Right]:
    """Yield each verb on each resource and subresource, in three namespaces."""
    groups = unwrap(subject.admin.send("GET", "/apis"))["groups"]
    versions = ["v1", *(group["preferredVersion"]["groupVersion"] for group in groups)]
    for version in versions:
        group = version.partition("/")[0] if "/" in version else ""
        path = f"/{'apis' if group else 'api'}/{version}"
        for resource in unwrap(subject.admin.send("GET", path))["resources"]:
            name = f"{resource['name']}.{group}".rstrip(".")
            for verb in VERBS:
                yield Right(verb, name, subject.namespace if resource["namespaced"] else "")
                if resource["namespaced"]:
                    yield Right(verb, name, OTHER)
                    yield Right(verb, name, EVERYWHERE)


def concrete(subject: Subject) -> Iterator[Right]:
    """Yield each verb on each object that a right names, and on a neighbour of it."""
    for right in subject.rights:
        if right.name:
            for verb in VERBS:
                yield right._replace(verb=verb)
                yield right._replace(verb=verb, name=f"{right.name}-other")


def grants(right: Right, request: Right) -> bool:
    """Return whether a right authorizes a request."""
    return (
        (right.verb, right.resource) == (request.verb, request.resource)
        and right.namespace in (EVERYWHERE, request.namespace)
        and right.name in ("", request.name)
    )


def everyone(subject: Subject) -> set[Right]:
    """Return what every authenticated user may do."""
    return {
        right._replace(namespace=namespace)
        for right in listed(subject.powerless, OTHER)
        for namespace in ("", EVERYWHERE, *subject.namespaces)
    }


def authorized(subject: Subject, right: Right) -> bool:
    resource, _, group = right.resource.partition(".")
    resource, _, subresource = resource.partition("/")
    attributes = {
        "verb": right.verb,
        "group": group,
        "resource": resource,
        "subresource": subresource,
        "namespace": right.namespace.replace(EVERYWHERE, ""),
        "name": right.name,
    }
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    response = subject.admin.http.post(
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
        json=review,
        headers=impersonation(subject),
    )
    return bool(unwrap(response)["status"]["allowed"])


def impersonation(subject: Subject) -> Mapping[str, str]:
    """Return the headers that `kubectl --as` sends."""
    return {"Impersonate-User": subject.account}


def definition(kind: str) -> Json:
    """Return a CustomResourceDefinition of cert-manager with any fields."""
    plural = f"{kind.lower()}s"
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.cert-manager.io"},
        "spec": {
            "group": "cert-manager.io",
            "names": {"kind": kind, "plural": plural},
            "scope": "Namespaced",
            "versions": [version],
        },
    }
