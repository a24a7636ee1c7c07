"""Type check of the fields of a pod that a placement reads or changes."""

from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from webhook.kube.messages import describe_validation_error
from webhook.kube.objects import Json
from webhook.kube.sizes import MAX_POD_ENTRIES


class MalformedPod(ValueError):  # noqa: N818 - like the reason
    """A field does not have the type that Kubernetes defines; the text has its path and value."""


def check(pod: Json) -> None:
    """Raise MalformedPod unless the fields that a placement reads have their types or are null."""
    try:
        msgspec.convert(pod, _Pod)
    except msgspec.ValidationError as error:
        raise MalformedPod(describe_validation_error(error, "the pod")) from None


T = TypeVar("T")
_List = Annotated[list[T], Meta(max_length=MAX_POD_ENTRIES)]
_Map = Annotated[dict[str, T], Meta(max_length=MAX_POD_ENTRIES)]


class _Expression(msgspec.Struct):
    key: str
    operator: str
    values: list[str] | None = None


class _NodeTerm(msgspec.Struct, rename="camel"):
    match_expressions: _List[_Expression] | None = None
    match_fields: _List[_Expression] | None = None


class _Preference(msgspec.Struct):
    preference: _NodeTerm | None = None


class _NodeSelector(msgspec.Struct, rename="camel"):
    node_selector_terms: _List[_NodeTerm] | None = None


class _NodeAffinity(msgspec.Struct, rename="camel"):
    required_during_scheduling_ignored_during_execution: _NodeSelector | None = None
    preferred_during_scheduling_ignored_during_execution: _List[_Preference] | None = None


class _PodAffinity(msgspec.Struct, rename="camel"):
    required_during_scheduling_ignored_during_execution: _List[Json] | None = None
    preferred_during_scheduling_ignored_during_execution: _List[Json] | None = None


class _Affinity(msgspec.Struct, rename="camel"):
    node_affinity: _NodeAffinity | None = None
    pod_affinity: _PodAffinity | None = None
    pod_anti_affinity: _PodAffinity | None = None


class _SpreadConstraint(msgspec.Struct, rename="camel"):
    topology_key: str | None = None
    when_unsatisfiable: str | None = None


class _Metadata(msgspec.Struct):
    labels: _Map[str] | None = None
    annotations: dict[str, str] | None = None


class _Resources(msgspec.Struct):
    requests: _Map[str | int | float] | None = None
    limits: _Map[str | int | float] | None = None


class _Container(msgspec.Struct, rename="camel"):
    name: str | None = None
    resources: _Resources | None = None
    env: _List[Json] | None = None
    volume_mounts: _List[Json] | None = None
    security_context: Json | None = None


class _Spec(msgspec.Struct, rename="camel"):
    node_selector: _Map[str] | None = None
    affinity: _Affinity | None = None
    tolerations: _List[Json] | None = None
    topology_spread_constraints: _List[_SpreadConstraint] | None = None
    containers: _List[_Container] | None = None
    volumes: _List[Json] | None = None
    security_context: Json | None = None


class _Pod(msgspec.Struct):
    metadata: _Metadata | None = None
    spec: _Spec | None = None
