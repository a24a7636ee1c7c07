"""When a plan's settings were written, by the record that the API server keeps of every object.

`metadata.managedFields` has an entry for each program that writes the object, with the fields
that it has set and when it last changed any of them.
"""

from collections.abc import Iterator
from typing import Any

from webhook.kube.objects import Json

_FIELDS = {"f:convertorLabels", "f:convertorNodeSelector", "f:convertorAffinity"}


def written(metadata: Json, prefix: str) -> str:
    """Return the latest time of a writer of settings, or when the Plan was created.

    It is late rather than early: a writer's time counts for all of its fields. Times of the API
    server are RFC 3339 in UTC, to the second, so the latest is also the last in the alphabet.
    """
    return max(_times(metadata, prefix), default="")


def _times(metadata: Json, prefix: str) -> Iterator[str]:
    yield from _text(metadata.get("creationTimestamp"))
    entries = metadata.get("managedFields")
    for entry in entries if isinstance(entries, list) else ():
        fields = _object(_object(entry).get("fieldsV1"))
        annotations = _object(_object(fields.get("f:metadata")).get("f:annotations"))
        ours = any(key.startswith(f"f:{prefix}/") for key in annotations)
        if ours or _FIELDS & _object(fields.get("f:spec")).keys():
            yield from _text(entry.get("time"))


def _object(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
