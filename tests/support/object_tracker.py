"""The objects of the fake API server: resource versions, selectors, patches, watch events.

`ObjectTracker` is client-go's word for the store behind its fake clients.
"""

import re
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jsonpatch
import msgspec

from webhook.kube.api.errors import ApiError
from webhook.kube.objects import Json

FIRST_VERSION = 100
_REQUIREMENT = re.compile(
    r"(?P<absent>!)?(?P<key>[^!= ]+)"
    r"(?:(?P<operator>!=|==?)(?P<value>.*)| in \((?P<values>[^()]+)\))?"
)


class Key(NamedTuple):
    resource: str
    """The plural, such as `plans`."""
    namespace: str
    """Empty for an object of the cluster."""
    name: str


class Selection(NamedTuple):
    """The objects that a list or a watch selects."""

    resource: str
    namespace: str = ""
    """Empty for all namespaces."""
    labels: str = ""
    """A labelSelector; of its operators all but `notin`."""
    fields: str = ""
    """A fieldSelector."""

    def matches(self, item: Json) -> bool:
        metadata = item["metadata"]
        labels = metadata.get("labels") or {}
        return (
            self.namespace in ("", metadata.get("namespace"))
            and all(_holds(each, labels.get) for each in _requirements(self.labels))
            and all(_holds(each, _field(item)) for each in _requirements(self.fields))
        )


class Event(NamedTuple):
    """A line of the watches of a resource; `version` is the position after it."""

    version: int
    resource: str
    type: str
    item: Json
    before: Json | None = None
    """The object before the change."""
    line: bytes = b""
    """Sent instead of the event, to every watch of the resource."""

    def encode(self, selection: Selection) -> bytes:
        """Return the line that a watch gets, empty where the event does not concern it."""
        if self.resource != selection.resource:
            return b""
        if self.line or self.type == "BOOKMARK":
            return self.line or _encode_event(self.type, self.item)
        known = self.before is not None and selection.matches(self.before)
        if not selection.matches(self.item):
            return _encode_event("DELETED", self.item) if known else b""
        event_type = self.type
        if event_type == "MODIFIED" and not known:
            event_type = "ADDED"
        return _encode_event(event_type, self.item)


class ObjectTracker:
    """Objects by key. A refusal is the ApiError that a client would raise."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str, str], Json] = {}
        self.version = FIRST_VERSION
        self.changed = threading.Condition()
        """Held for every change, notified after it."""
        self.admission: list[Callable[[Key, Json], None]] = []
        """Called with each object before it is stored; an ApiError refuses it."""
        self.events: list[Event] = []

    def add(self, *objects: Json) -> None:
        """Store objects whatever there is under their names."""
        for item in objects:
            self._store(self._key(plural_of(item["kind"]), item), item)

    def get(self, resource: str, namespace: str, name: str) -> Json:
        item = self.objects.get(Key(resource, namespace, name))
        if item is None:
            raise ApiError(f'{resource} "{name}" not found', 404, "NotFound")
        return item

    def select(self, selection: Selection) -> list[Json]:
        """Return the selected objects by namespace and name."""
        with self.changed:
            found = sorted(key for key in self.objects if key[0] == selection.resource)
            items = [self.objects[key] for key in found]
        if selection == Selection(selection.resource):
            return items
        return [item for item in items if selection.matches(item)]

    def create(self, resource: str, item: Json, *, dry_run: bool = False) -> Json:
        with self.changed:
            key = self._key(resource, item)
            if key in self.objects:
                message = f'{resource} "{key.name}" already exists'
                raise ApiError(message, 409, "AlreadyExists")
            return self._store(key, item, dry_run=dry_run)

    def update(self, resource: str, item: Json, *, dry_run: bool = False) -> Json:
        with self.changed:
            key = self._key(resource, item)
            self._check_version(key, item)
            return self._store(key, item, dry_run=dry_run)

    def patch(self, key: Key, patch: Json | list[Json], *, dry_run: bool = False) -> Json:
        """Apply a merge patch (RFC 7386), or a list of operations (RFC 6902)."""
        with self.changed:
            before = self.get(*key)
            if isinstance(patch, list):
                after = jsonpatch.apply_patch(before, patch)
            else:
                after = merge(before, patch)
            self._check_version(key, after)
            return self._store(key, after, dry_run=dry_run)

    def delete(self, resource: str, namespace: str, name: str) -> None:
        with self.changed:
            item = self.get(resource, namespace, name)
            del self.objects[Key(resource, namespace, name)]
            self._record("DELETED", resource, item, before=item)

    def bookmark(self, resource: str) -> None:
        """Send a bookmark to the watches of a resource."""
        with self.changed:
            self._record("BOOKMARK", resource, {"metadata": {}})

    def send_line(self, resource: str, line: bytes) -> None:
        """Send a line unchanged to the watches of a resource."""
        with self.changed:
            self._record("", resource, {"metadata": {}}, line=line)

    @staticmethod
    def _key(resource: str, item: Json) -> Key:
        metadata = item["metadata"]
        return Key(resource, metadata.get("namespace") or "", metadata["name"])

    def _check_version(self, key: Key, item: Json) -> None:
        known = self.get(*key)["metadata"]["resourceVersion"]
        if item["metadata"].get("resourceVersion", known) != known:
            message = (
                f'Operation cannot be fulfilled on {key.resource} "{key.name}": the object has '
                "been modified; please apply your changes to the latest version and try again"
            )
            raise ApiError(message, 409, "Conflict")

    def _store(self, key: Key, item: Json, *, dry_run: bool = False) -> Json:
        with self.changed:
            for admit in self.admission:
                admit(key, item)
            if dry_run:
                return item
            before = self.objects.get(key)
            event_type = "ADDED" if before is None else "MODIFIED"
            self.objects[key] = self._record(event_type, key.resource, item, before=before)
            return self.objects[key]

    def _record(self, event_type: str, resource: str, item: Json, **event: Any) -> Json:
        self.version += 1
        item = item | {"metadata": item["metadata"] | {"resourceVersion": str(self.version)}}
        self.events.append(Event(self.version, resource, event_type, item, **event))
        self.changed.notify_all()
        return item


def plural_of(kind: str) -> str:
    """Return the resource of a kind: `plans` of `Plan`."""
    name = kind.lower()
    if name.endswith("y"):
        return f"{name[:-1]}ies"
    return name + ("es" if name.endswith("s") else "s")


def merge(target: Any, patch: Any) -> Any:
    """Apply a JSON merge patch (RFC 7386)."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result


def _requirements(selector: str) -> Iterator[re.Match[str]]:
    for text in filter(None, re.split(r",(?![^(]*\))", selector)):
        requirement = _REQUIREMENT.fullmatch(text)
        assert requirement, f"the fake API server does not know the selector '{text}'"
        yield requirement


def _holds(requirement: re.Match[str], get: Callable[[str], Any]) -> bool:
    value = get(requirement["key"])
    if requirement["values"] is not None:
        return value in requirement["values"].split(",")
    if requirement["operator"] is None:
        return (value is None) is bool(requirement["absent"])
    equal = bool(value == requirement["value"])
    return equal is (requirement["operator"] != "!=")


def _field(item: Json) -> Callable[[str], Any]:
    def get(path: str) -> Any:
        found: Any = item
        for name in path.split("."):
            found = (found or {}).get(name)
        return found

    return get


def _encode_event(event_type: str, item: Json) -> bytes:
    return msgspec.json.encode({"type": event_type, "object": item})
