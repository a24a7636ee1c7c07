"""Objects that select the pods of their namespace by labels, and change what happens to them."""

from typing import Any, NamedTuple

import msgspec

from webhook.kube.objects import Json
from webhook.kube.selectors import Labels, label_selector_matches


class PodSelector(NamedTuple):
    """An object that selects pods."""

    kind: str
    name: str
    selector: Json | None
    """A LabelSelector; None selects nothing."""
    directions: tuple[str, ...] = ()
    """Of a NetworkPolicy, the connections that it restricts: `Ingress`, `Egress`."""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"

    def matches(self, labels: Labels) -> bool:
        """Return whether the object selects pods of its namespace with these labels."""
        return label_selector_matches(self.selector, labels)


class _Metadata(msgspec.Struct):
    name: str
    resource_version: str = msgspec.field(name="resourceVersion", default="")


class _Spec(msgspec.Struct, rename="camel"):
    selector: Json | None = None
    pod_selector: Json | None = None
    policy_types: list[str] | None = None
    egress: list[Any] | None = None


class SelectingObject(msgspec.Struct):
    """An object of one of the kinds in `API_VERSIONS`, as decoded."""

    metadata: _Metadata
    spec: _Spec | None = None


API_VERSIONS = {
    "Service": "v1",
    "ReplicaSet": "apps/v1",
    "PodDisruptionBudget": "policy/v1",
    "NetworkPolicy": "networking.k8s.io/v1",
}
"""The API versions of the kinds."""
_PLURALS = {"NetworkPolicy": "networkpolicies"}


def collection_path(kind: str, namespace: str) -> str:
    """Return the path of all objects of a kind in a namespace."""
    version = API_VERSIONS[kind]
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    return f"{root}/namespaces/{namespace}/{_PLURALS.get(kind, f'{kind.lower()}s')}"


def read_pod_selector(kind: str, found: SelectingObject) -> PodSelector:
    """Return the selector of an object as a LabelSelector."""
    name, spec = found.metadata.name, found.spec or _Spec()
    if kind == "Service":
        return PodSelector(kind, name, {"matchLabels": spec.selector} if spec.selector else None)
    if kind != "NetworkPolicy":
        return PodSelector(kind, name, spec.selector)
    default = ["Ingress", "Egress"] if spec.egress else ["Ingress"]
    return PodSelector(kind, name, spec.pod_selector or {}, (*(spec.policy_types or default),))
