"""Summary of a patch in one line, for log lines, Events and commands."""

from collections.abc import Iterable, Iterator
from typing import Any

from webhook.kube.objects import Json
from webhook.kube.tolerations import format_toleration

ANNOTATION_ONLY = "only the placement annotation"
"""For a pod that has all settings already: Forklift 2.10+ copies the plan's fields itself."""


_PLACEMENT = "/placement"
"""The end of the placement annotation's key, whose prefix is configurable."""


def summarize(patch: Iterable[Json]) -> str:
    """Return `labels batch=1,app=virt-v2v; nodeSelector disk=nvme; affinity podAffinity`.

    A removed key is `key-`, as in kubectl.
    """
    groups = list_changes(patch).items()
    return "; ".join(f"{field} {','.join(entries)}" for field, entries in groups) or ANNOTATION_ONLY


def list_changes(patch: Iterable[Json]) -> dict[str, list[str]]:
    """Return the changes of each field of a pod, each once, without the placement annotation."""
    found: dict[str, dict[str, None]] = {}
    for operation in patch:
        steps = [step.replace("~1", "/").replace("~0", "~") for step in _split(operation["path"])]
        for field, rest, value in _fields(steps, operation.get("value")):
            if field in _FORMATTERS:
                found.setdefault(field, {}).update(dict.fromkeys(_FORMATTERS[field](rest, value)))
    return {field: list(entries) for field, entries in found.items() if entries}


def _split(path: str) -> list[str]:
    return path.split("/")[1:]


def _fields(steps: list[str], value: Any) -> Iterator[tuple[str, list[str], Any]]:
    """Yield each field of metadata or spec that an operation changes, the path in it, the value."""
    if len(steps) >= 2:
        yield steps[1], steps[2:], value
        return
    for key, member in (value or {}).items():
        yield from _fields([*steps, key], member)


def _format_map(rest: list[str], value: Any) -> Iterator[str]:
    if not rest:
        yield from (f"{key}={each}" for key, each in (value or {}).items())
    else:
        yield f"{rest[0]}-" if value is None else f"{rest[0]}={value}"


def _format_affinity(rest: list[str], value: Any) -> Iterator[str]:
    yield from rest[:1] or (value or {})


def _format_tolerations(rest: list[str], value: Any) -> Iterator[str]:
    yield from map(format_toleration, [value] if rest else value or ())


def _format_annotations(rest: list[str], value: Any) -> Iterator[str]:
    keys = rest or list(value or {})
    yield from (key for key in keys if not key.endswith(_PLACEMENT))


def _format_topologies(rest: list[str], value: Any) -> Iterator[str]:
    yield from (each["topologyKey"] for each in ([value] if rest else value or ()))


def _format_text(_rest: list[str], value: Any) -> Iterator[str]:
    yield from filter(None, [value])


def _format_volumes(rest: list[str], value: Any) -> Iterator[str]:
    yield from (each["name"] for each in ([value] if rest else value or ()))


def _format_containers(rest: list[str], value: Any) -> Iterator[str]:
    """Yield `resources.limits.memory=12Gi`, without the index of the container."""
    yield from _format_leaves(
        [step for step in rest[1:] if not step.isdigit() and step != "-"], value
    )


def _format_leaves(path: list[str], value: Any) -> Iterator[str]:
    match value:
        case None:
            yield f"{'.'.join(path)}-"
        case {"name": str(name)}:  # of a variable, whose value may be a secret, or a mount
            yield ".".join([*path, name])
        case dict():
            for key, member in value.items():
                yield from _format_leaves([*path, key], member)
        case list():
            for member in value:
                yield from _format_leaves(path, member)
        case _:
            yield f"{'.'.join(path)}={value}"


_FORMATTERS = {
    "labels": _format_map,
    "annotations": _format_annotations,
    "nodeSelector": _format_map,
    "affinity": _format_affinity,
    "tolerations": _format_tolerations,
    "topologySpreadConstraints": _format_topologies,
    "priorityClassName": _format_text,
    "runtimeClassName": _format_text,
    "containers": _format_containers,
    "volumes": _format_volumes,
    "securityContext": _format_leaves,
}
"""The priority that is removed with a class is left out: the API server sets that of the class."""
