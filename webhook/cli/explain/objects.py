"""The objects that `explain` uses, reduced to the fields that it needs."""

from typing import Any

import msgspec

from webhook.forklift.labels import CONVERTOR_LABEL, CONVERTOR_VALUE
from webhook.kube.objects import Json


def as_json(item: object) -> Json:
    plain: Json = msgspec.to_builtins(item)
    metadata = plain["metadata"]
    if (metadata.get("labels") or {}).get(CONVERTOR_LABEL) != CONVERTOR_VALUE:
        metadata.pop("annotations", None)  # other pods' annotations only take memory
    return plain


class _Part(msgspec.Struct, rename="camel", omit_defaults=True):
    """A part of an object, in which null is the same as absent."""


class _Metadata(_Part):
    name: str
    namespace: str = ""
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    owner_references: list[Json] | None = None
    creation_timestamp: str = ""
    deletion_timestamp: str = ""
    resource_version: str = ""


class NamespaceObject(_Part):
    """A Namespace."""

    metadata: _Metadata


class _Taint(_Part):
    key: str
    effect: str
    value: str = ""


class _NodeSpec(_Part):
    unschedulable: bool = False
    taints: list[_Taint] | None = None


class _NodeStatus(_Part):
    allocatable: dict[str, str] | None = None


class NodeObject(_Part):
    """A Node."""

    metadata: _Metadata
    spec: _NodeSpec | None = None
    status: _NodeStatus | None = None


class _Container(_Part):
    name: str
    resources: Json | None = None
    restart_policy: str = ""
    ports: list[Json] | None = None


class _PodVolume(_Part):
    persistent_volume_claim: Json | None = None


class _PodSpec(_Part):
    node_name: str = ""
    node_selector: dict[str, str] | None = None
    affinity: Json | None = None
    tolerations: list[Json] | None = None
    containers: list[_Container] | None = None
    init_containers: list[_Container] | None = None
    overhead: dict[str, str] | None = None
    resources: Json | None = None
    volumes: list[_PodVolume] | None = None
    topology_spread_constraints: list[Any] | None = None
    resource_claims: list[Any] | None = None
    scheduling_gates: list[Any] | None = None
    scheduler_name: str = ""


class _ContainerStatus(_Part):
    name: str
    state: Json | None = None
    resources: Json | None = None
    allocated_resources: dict[str, str] | None = None


class _PodStatus(_Part):
    phase: str = ""
    conditions: list[Json] | None = None
    container_statuses: list[_ContainerStatus] | None = None
    init_container_statuses: list[_ContainerStatus] | None = None
    resources: Json | None = None
    allocated_resources: dict[str, str] | None = None
    nominated_node_name: str = ""


class PodObject(_Part):
    """A Pod."""

    metadata: _Metadata
    spec: _PodSpec | None = None
    status: _PodStatus | None = None
