"""The JSON patch (RFC 6902) from a pod to the placed pod.

`jsonpatch.make_patch` is not used: for the pods and plans of `tests/webhook/placement/cases` it
takes 75 to 210 µs for the same five fields, and this takes 3 to 11 (Python 3.11); a review takes
about 150. It may also move or replace the items of an array, to which this only appends or edits in
place.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from webhook.kube.objects import Json

PATCHED_FIELDS = {
    "metadata": ("labels", "annotations"),
    "spec": (
        *("nodeSelector", "affinity", "tolerations", "topologySpreadConstraints", "volumes"),
        *("securityContext", "runtimeClassName"),
        *("priorityClassName", "priority", "preemptionPolicy"),
    ),
}
"""The fields that a placement may change, besides those of containers."""
PATCHED_CONTAINER_FIELDS = ("resources", "env", "volumeMounts", "securityContext")
"""The fields that a placement may change of each container."""


def diff(before: Json, after: Json) -> list[Json]:
    """Return the operations that change `before` to `after`.

    Only PATCHED_FIELDS are compared, and null is the same as absent. New values are added with
    their missing parents; of present values only the smallest differing part is replaced.
    """
    operations: list[Json] = []
    for parent, fields in PATCHED_FIELDS.items():
        old, new = before.get(parent), after.get(parent)
        if old is None or new is None:
            operations += _diff_members("", before, after, [parent])
        else:
            operations += _diff_members(f"/{parent}", old, new, fields)
    return [*operations, *_diff_containers(before, after)]


def _diff_containers(before: Json, after: Json) -> Iterator[Json]:
    """Yield the operations on containers; a placement keeps their number and order."""
    old, new = ((each.get("spec") or {}).get("containers") or [] for each in (before, after))
    for index, (container, changed) in enumerate(zip(old, new, strict=True)):
        path = f"/spec/containers/{index}"
        yield from _diff_members(path, container, changed, PATCHED_CONTAINER_FIELDS)


def _diff_members(path: str, old: Json, new: Json, keys: Iterable[str]) -> Iterator[Json]:
    for key in keys:
        before, after = old.get(key), new.get(key)
        if before == after:
            continue
        member = f"{path}/{key.replace('~', '~0').replace('/', '~1')}"
        if after is None:
            yield {"op": "remove", "path": member}
        elif before is None:  # if the field is null, "add" replaces it
            yield {"op": "add", "path": member, "value": after}
        else:
            yield from _diff_values(member, before, after)


def _diff_values(path: str, old: Any, new: Any) -> Iterator[Json]:
    if isinstance(old, dict) and isinstance(new, dict):
        yield from _diff_members(path, old, new, old | new)
    elif isinstance(old, list) and isinstance(new, list) and len(old) <= len(new):
        yield from _diff_elements(path, old, new)
    else:
        yield {"op": "replace", "path": path, "value": new}


def _diff_elements(path: str, old: list[Any], new: list[Any]) -> Iterator[Json]:
    for index, (before, after) in enumerate(zip(old, new, strict=False)):
        if before == after:
            continue
        element = f"{path}/{index}"
        edits = list(_diff_values(element, before, after))
        if any(edit["op"] != "add" for edit in edits):
            edits = [{"op": "replace", "path": element, "value": after}]
        yield from edits
    for added in new[len(old) :]:
        yield {"op": "add", "path": f"{path}/-", "value": added}
