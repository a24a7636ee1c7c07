"""Type check of the fields of a pod that a placement reads or changes."""

from typing import Any

import msgspec

from webhook.kube.messages import describe_validation_error
from webhook.kube.objects import Json


class MalformedPod(ValueError):  # noqa: N818 - like the reason
    """A field does not have the type that Kubernetes defines; the text has its path and value."""


def check(pod: Json) -> None:
    """Raise MalformedPod unless the fields that a placement reads have their types or are null."""
    try:
        msgspec.convert(pod, _Pod)
    except msgspec.ValidationError as error:
        raise MalformedPod(describe_validation_error(error, "the pod")) from None


class _Expression(msgspec.Struct):
    key: str
    operator: str
    values: list[str] | None = None


class _NodeTerm(msgspec.Struct, rename="camel"):
    match_expressions: list[_Expression] | None = None
    match_fields: list[_Expression] | None = None


class _Preference(msgspec.Struct):
    preference: _NodeTerm | None = None


class _NodeSelector(msgspec.Struct, rename="camel"):
    node_selector_terms: list[_NodeTerm] | None = None


class _NodeAffinity(msgspec.Struct, rename="camel"):
    required_during_scheduling_ignored_during_execution: _NodeSelector | None = None
    preferred_during_scheduling_ignored_during_execution: list[_Preference] | None = None


class _PodAffinity(msgspec.Struct, rename="camel"):
    required_during_scheduling_ignored_during_execution: list[Json] | None = None
    preferred_during_scheduling_ignored_during_execution: list[Json] | None = None


class _Affinity(msgspec.Struct, rename="camel"):
    node_affinity: _NodeAffinity | None = None
    pod_affinity: _PodAffinity | None = None
    pod_anti_affinity: _PodAffinity | None = None


class _Metadata(msgspec.Struct):
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None


class _Spec(msgspec.Struct, rename="camel"):
    node_selector: dict[str, str] | None = None
    affinity: _Affinity | None = None
    tolerations: list[dict[str, Any]] | None = None


class _Pod(msgspec.Struct):
    metadata: _Metadata | None = None
    spec: _Spec | None = None
