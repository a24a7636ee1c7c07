"""Access to the fields of Kubernetes objects, where null, empty and absent mean the same.

The functions `nested_…` accept any JSON, the others only valid objects.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

Json = dict[str, Any]
"""A JSON object as decoded: a pod, a term, an expression. Unknown fields are kept."""


def nested_map(value: object, *fields: str) -> Json:
    """Return the object at a path of fields; empty if it is absent or of another type."""
    found = _nested(value, fields)
    return found if isinstance(found, dict) else {}


def nested_string(value: object, *fields: str) -> str:
    """Return the text at a path of fields; empty if it is absent or of another type."""
    found = _nested(value, fields)
    return found if isinstance(found, str) else ""


def nested_strings(value: object, *fields: str) -> dict[str, str]:
    """Return the entries of the map at a path of fields whose values are text."""
    found = nested_map(value, *fields)
    return {key: text for key, text in found.items() if isinstance(text, str)}


def metadata_of(an_object: Json) -> Json:
    return an_object.get("metadata") or {}


def spec_of(an_object: Json) -> Json:
    return an_object.get("spec") or {}


def status_of(an_object: Json) -> Json:
    return an_object.get("status") or {}


def name_of(an_object: Json) -> str:
    return metadata_of(an_object).get("name") or ""


def namespace_of(an_object: Json) -> str:
    return metadata_of(an_object).get("namespace") or ""


def labels_of(an_object: Json) -> dict[str, str]:
    return metadata_of(an_object).get("labels") or {}


def annotations_of(an_object: Json) -> dict[str, str]:
    return metadata_of(an_object).get("annotations") or {}


def phase_of(pod: Json) -> str:
    return status_of(pod).get("phase") or ""


def has_ended(pod: Json) -> bool:
    """Return whether all containers of a pod have ended, for good."""
    return phase_of(pod) in {"Succeeded", "Failed"}


def affinity_of(pod: Json, kind: str) -> Json:
    """Return a pod's `nodeAffinity`, `podAffinity` or `podAntiAffinity`."""
    return (spec_of(pod).get("affinity") or {}).get(kind) or {}


def encode(value: object) -> bytes:
    """Return the JSON of a value, which is the same for equal values; for sets and keys."""
    return msgspec.json.encode(value, order="sorted")


def unite(first: list[Json], second: list[Json]) -> list[Json]:
    """Return all of the first objects, and those of the second that are new, each once."""
    if not second:
        return first
    seen = {encode(item) for item in first}
    united = list(first)
    for item in second:
        if (form := encode(item)) not in seen:
            seen.add(form)
            united.append(item)
    return united


def _nested(value: object, fields: Iterable[str]) -> object:
    for field in fields:
        value = value.get(field) if isinstance(value, dict) else None
    return value
