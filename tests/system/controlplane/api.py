"""Kubernetes API client of the tests: objects are dicts, and responses are kept whole."""

import json
import ssl
from pathlib import Path
from typing import Any

import httpx

Json = dict[str, Any]

RESOURCES = {
    "ClusterRole": "apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "ConfigMap": "api/v1/configmaps",
    "CustomResourceDefinition": "apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    "EndpointSlice": "apis/discovery.k8s.io/v1/endpointslices",
    "Event": "api/v1/events",
    "LimitRange": "api/v1/limitranges",
    "Migration": "apis/forklift.konveyor.io/v1beta1/migrations",
    "MutatingWebhookConfiguration": (
        "apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
    ),
    "Namespace": "api/v1/namespaces",
    "NetworkPolicy": "apis/networking.k8s.io/v1/networkpolicies",
    "Node": "api/v1/nodes",
    "PersistentVolume": "api/v1/persistentvolumes",
    "PersistentVolumeClaim": "api/v1/persistentvolumeclaims",
    "Plan": "apis/forklift.konveyor.io/v1beta1/plans",
    "Pod": "api/v1/pods",
    "PodDisruptionBudget": "apis/policy/v1/poddisruptionbudgets",
    "PriorityClass": "apis/scheduling.k8s.io/v1/priorityclasses",
    "ReplicaSet": "apis/apps/v1/replicasets",
    "ResourceQuota": "api/v1/resourcequotas",
    "Role": "apis/rbac.authorization.k8s.io/v1/roles",
    "RoleBinding": "apis/rbac.authorization.k8s.io/v1/rolebindings",
    "RuntimeClass": "apis/node.k8s.io/v1/runtimeclasses",
    "Secret": "api/v1/secrets",
    "Service": "api/v1/services",
    "ServiceAccount": "api/v1/serviceaccounts",
    "StorageClass": "apis/storage.k8s.io/v1/storageclasses",
    "ValidatingAdmissionPolicy": (
        "apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
    ),
    "ValidatingAdmissionPolicyBinding": (
        "apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"
    ),
    "ValidatingWebhookConfiguration": (
        "apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
    ),
}
"""The path of the collection of each kind."""


class StatusError(Exception):
    """The API server responded with a Status of failure."""

    def __init__(self, status: Json) -> None:
        super().__init__(status.get("message", ""))
        self.code: int = status.get("code", 0)
        self.reason: str = status.get("reason", "")


class Api:
    """A client with the rights of one user. Thread-safe."""

    def __init__(self, url: str, ca: Path, token: str) -> None:
        self.http = httpx.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {token}"},
            verify=ssl.create_default_context(cafile=ca),
            timeout=35,
            limits=httpx.Limits(max_connections=100),
            trust_env=False,  # not through a proxy of the environment
        )

    def close(self) -> None:
        """Close the connections."""
        self.http.close()

    def send(self, method: str, path: str, body: Any = None, **query: Any) -> httpx.Response:
        """Send a request and return the response, also if it is an error."""
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        return self.http.request(
            method,
            path,
            content=None if body is None else json.dumps(body),
            headers={"Content-Type": kind},
            params=query,
        )

    def create(self, body: Json, **query: Any) -> Json:
        return unwrap(self.send("POST", of(body), body, **query))

    def ensure(self, body: Json) -> Json:
        """Create an object, or replace the one with its name."""
        found = self.send("GET", at(body))
        if found.status_code == httpx.codes.NOT_FOUND:
            return self.create(body)
        version = unwrap(found)["metadata"]["resourceVersion"]
        body = body | {"metadata": body["metadata"] | {"resourceVersion": version}}
        return unwrap(self.send("PUT", at(body), body))

    def get(self, kind: str, name: str, namespace: str = "") -> Json:
        return unwrap(self.send("GET", path(kind, namespace, name)))

    def list(self, kind: str, namespace: str = "", **query: Any) -> list[Json]:
        items: list[Json] = unwrap(self.send("GET", path(kind, namespace), **query))["items"]
        return items

    def patch(self, kind: str, name: str, body: Json, namespace: str = "", **query: Any) -> Json:
        """Merge `body` into the object (RFC 7386)."""
        return unwrap(self.send("PATCH", path(kind, namespace, name), body, **query))

    def delete(self, kind: str, name: str, namespace: str = "") -> None:
        """Delete an object at once, if it exists, without waiting for a kubelet."""
        answer = self.send("DELETE", path(kind, namespace, name), gracePeriodSeconds=0)
        if answer.status_code != httpx.codes.NOT_FOUND:
            unwrap(answer)

    def delete_all(self, kind: str, namespace: str = "", **query: Any) -> None:
        """Delete the objects of a kind that `query` selects at once; by default all."""
        unwrap(self.send("DELETE", path(kind, namespace), gracePeriodSeconds=0, **query))

    def token(self, account: str, namespace: str, *, seconds: int = 3600) -> str:
        """Return a token of a ServiceAccount; its minimum lifetime is ten minutes."""
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": seconds},
        }
        where = f"{path('ServiceAccount', namespace, account)}/token"
        token: str = unwrap(self.send("POST", where, request))["status"]["token"]
        return token


def unwrap(answer: httpx.Response) -> Json:
    """Return the object in a response.

    Raises:
        StatusError: the response is an error.

    """
    body: Json = answer.json()
    if answer.is_error:
        raise StatusError(body)
    return body


def warnings(answer: httpx.Response) -> list[str]:
    """Return the texts of the response's warnings; each header is `299 - "text"`."""
    lines = answer.headers.get_list("Warning")
    return [json.loads(line.split(" ", 2)[2]) for line in lines]


def path(kind: str, namespace: str = "", name: str = "") -> str:
    """Return the path of an object, or of the collection of a kind in one or all namespaces."""
    start, _, plural = RESOURCES[kind].rpartition("/")
    inside = f"/namespaces/{namespace}" if namespace else ""
    return f"/{start}{inside}/{plural}" + (f"/{name}" if name else "")


def of(body: Json) -> str:
    return path(body["kind"], body["metadata"].get("namespace", ""))


def at(body: Json) -> str:
    return f"{of(body)}/{body['metadata']['name']}"
