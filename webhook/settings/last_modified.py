"""The time at which a plan's settings were last written, from `metadata.managedFields`.

The API server keeps an entry for each field manager, with the fields that it owns and the time
of its last change to any of them.
"""

from collections.abc import Iterator
from typing import Any

from webhook.kube.objects import Json

_FIELDS = {"f:convertorLabels", "f:convertorNodeSelector", "f:convertorAffinity"}


def last_modified(metadata: Json, prefix: str) -> str:
    """Return the latest time of a manager of settings, or the creation time of the Plan.

    It may be too late, never too early: a manager has one time for all of its fields. Times of
    the API server are RFC 3339 in UTC, to the second, so they sort as text.
    """
    return max(_times(metadata, prefix), default="")


def _times(metadata: Json, prefix: str) -> Iterator[str]:
    yield from _text(metadata.get("creationTimestamp"))
    entries = metadata.get("managedFields")
    for entry in entries if isinstance(entries, list) else ():
        fields = _object(_object(entry).get("fieldsV1"))
        annotations = _object(_object(fields.get("f:metadata")).get("f:annotations"))
        has_setting = any(key.startswith(f"f:{prefix}/") for key in annotations)
        if has_setting or _FIELDS & _object(fields.get("f:spec")).keys():
            yield from _text(entry.get("time"))


def _object(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
