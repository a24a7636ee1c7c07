"""The time at which a plan's settings were last written, from `metadata.managedFields`.

The API server keeps an entry for each field manager, with the fields that it owns and the time
of its last change to any of them.
"""

from collections.abc import Iterator

from webhook.kube.objects import Json, nested_map, nested_string

_FIELDS = {"f:convertorLabels", "f:convertorNodeSelector", "f:convertorAffinity"}


def last_modified(metadata: Json, prefix: str) -> str:
    """Return the latest time of a manager of settings, or the creation time of the Plan.

    It may be too late, never too early: a manager has one time for all of its fields. Times of
    the API server are RFC 3339 in UTC, to the second, so they sort as text.
    """
    return max(_times(metadata, prefix))


def _times(metadata: Json, prefix: str) -> Iterator[str]:
    yield nested_string(metadata, "creationTimestamp")
    entries = metadata.get("managedFields")
    for entry in entries if isinstance(entries, list) else ():
        fields = nested_map(entry, "fieldsV1")
        annotations = nested_map(fields, "f:metadata", "f:annotations")
        has_setting = any(key.startswith(f"f:{prefix}/") for key in annotations)
        if has_setting or _FIELDS & nested_map(fields, "f:spec").keys():
            yield nested_string(entry, "time")
