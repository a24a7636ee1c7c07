"""Parts of nodes, pods and namespaces, where null, empty and absent are the same."""

from typing import Any

Json = dict[str, Any]
"""A JSON object as decoded: a pod, a term, an expression. Fields nobody knows stay in it."""


def metadata_of(an_object: Json) -> Json:
    return an_object.get("metadata") or {}


def spec_of(an_object: Json) -> Json:
    return an_object.get("spec") or {}


def status_of(an_object: Json) -> Json:
    return an_object.get("status") or {}


def name_of(an_object: Json) -> str:
    return metadata_of(an_object).get("name") or ""


def namespace_of(pod: Json) -> str:
    return metadata_of(pod).get("namespace") or ""


def labels_of(an_object: Json) -> dict[str, str]:
    return metadata_of(an_object).get("labels") or {}


def phase_of(pod: Json) -> str:
    return status_of(pod).get("phase") or ""


def affinity_of(pod: Json, kind: str) -> Json:
    """Return a pod's `nodeAffinity`, `podAffinity` or `podAntiAffinity`."""
    return (spec_of(pod).get("affinity") or {}).get(kind) or {}
