"""The known plans in memory: packed settings, found by UID or by name.

The index only computes: its callers read the plans, and log the changes that it returns.
"""

import sys
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from threading import RLock
from typing import NamedTuple

import msgspec

from webhook import settings
from webhook.forklift.plan import Spec
from webhook.karl import minimums
from webhook.kube.messages import describe_internal_error
from webhook.kube.objects import Json
from webhook.model import Installation, Plan, PlanRef, Reason
from webhook.settings.unknown_fields import UNKNOWN_FIELDS

_SPEC_FIELDS = tuple(field.encode_name for field in msgspec.structs.fields(Spec))
_canonical = msgspec.json.Encoder()
_pack = msgspec.msgpack.Encoder()

Key = tuple[str, str]
"""Namespace and name."""


class _Entry(msgspec.Struct, array_like=True, frozen=True):
    version: int
    stamp: int
    plan: Plan


_unpack = msgspec.msgpack.Decoder(_Entry).decode

_unpacked = lru_cache(256)(_unpack)
"""For the plans that migrate: all their pods get the same object, which the cache requires."""


class PlanChange(NamedTuple):
    """A plan whose settings have changed, or that cannot be read for the first time."""

    plan: str
    """`namespace/name`."""
    problems: Sequence[str] = ()
    """Of its settings."""
    error: Exception | None = None
    """The error of reading it; its previous settings, if any, stay effective."""


class PlanIndex:
    """Plans by UID, by namespace and name, and by name.

    A Plan in the cluster is tens of kilobytes; the index keeps its settings as one `bytes` of a
    few hundred. As Python objects they would take several times the memory, and time in every
    garbage collection. Readers take no lock: each look-up is one dictionary access, and an entry
    is complete before it can be found.

    `clock` returns the time in RFC 3339 and UTC.
    """

    def __init__(self, installation: Installation, clock: Callable[[], str] = str) -> None:
        self._installation = installation
        self._clock = clock
        self._writing = RLock()
        self._entries: dict[Key, bytes] = {}
        self._by_uid: dict[str, bytes] = {}
        self._by_name: dict[str, tuple[Key, ...]] = {}
        self._invalid = 0
        self._node_keys: Counter[str] = Counter()
        self._target_namespaces: Counter[str] = Counter()
        self._unread: dict[Key, str] = {}

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def invalid(self) -> int:
        """The number of plans whose settings have problems, or that could not be read."""
        return self._invalid + len(self._unread)

    @property
    def unread(self) -> dict[Key, str]:
        """The plans that cannot be read, and why; their previous settings stay effective.

        The event loop calls this, so it does not wait until a plan has been read.
        """
        return self._unread.copy()

    @property
    def node_keys(self) -> frozenset[str]:
        """The node label keys that some plan or the installation compares."""
        with self._writing:
            return minimums.label_keys(self._installation.enforced).union(self._node_keys)

    @property
    def target_namespaces(self) -> frozenset[str]:
        """The namespaces that some plan migrates into."""
        with self._writing:
            return frozenset(self._target_namespaces)

    def find(self, ref: PlanRef) -> Plan | Reason:
        """Return the plan that `ref` means, or PLAN_NOT_FOUND or PLAN_AMBIGUOUS."""
        if ref.uid and (packed := self._by_uid.get(ref.uid)):
            return _unpacked(packed).plan
        full = (ref.namespace, ref.name)
        keys = (full,) if ref.namespace else self._by_name.get(ref.name, ())
        entries = map(_unpacked, filter(None, map(self._entries.get, keys)))
        plans = [entry.plan for entry in entries if _may_own(entry.plan, ref)]
        if len(plans) > 1:
            return Reason.PLAN_AMBIGUOUS
        return plans[0] if plans else Reason.PLAN_NOT_FOUND

    def put(self, plan_object: Json) -> PlanChange | None:
        """Add or update a Plan; return None if its settings are unchanged.

        Forklift writes the status of a running plan every few seconds. So the fields that
        settings come from are compared first, which is cheap, and read only if they differ,
        which compiles KARL. A version older than the known one is ignored.
        """
        key, version = key_of(plan_object), _version(plan_object)
        with self._writing:
            known = self._get(key)
            if known and version < known.version:
                return None
            return self._put(key, plan_object, known)

    def discard(self, namespace: str, name: str) -> None:
        """Remove a Plan, if it is known."""
        key = (namespace, name)
        with self._writing:
            self._unread.pop(key, None)
            if not (known := self._get(key)):
                return
            self._forget(known.plan, self._entries.pop(key))
            if others := tuple(other for other in self._by_name[name] if other != key):
                self._by_name[name] = others
            else:
                del self._by_name[name]

    def replace_all(self, plan_objects: Iterable[Json]) -> list[PlanChange]:
        """Put all existing Plans, one at a time, and remove every other.

        Returns the changes with problems or errors.

        If `plan_objects` raises, nothing is removed. A Plan that cannot be read does not prevent
        the others from being read.
        """
        invalid: list[PlanChange] = []
        gone = self._entries.keys() | self.unread.keys()
        for plan_object in plan_objects:
            key = key_of(plan_object)
            gone.discard(key)
            with self._writing:  # of any version: a restored cluster has lower ones
                change = self._put(key, plan_object, self._get(key))
            if change and (change.problems or change.error):
                invalid.append(change)
        for key in gone:
            self.discard(*key)
        return invalid

    def _get(self, key: Key) -> _Entry | None:
        packed = self._entries.get(key)
        return _unpack(packed) if packed else None

    def _put(self, key: Key, plan_object: Json, known: _Entry | None) -> PlanChange | None:
        try:
            entry = self._read(plan_object, known)
            packed = _pack.encode(entry) if entry else b""
        except Exception as error:  # noqa: BLE001 - whatever it is, the other plans are read
            reason = f"cannot be read: {describe_internal_error(error)}"
            is_new = self._unread.get(key) != reason
            self._unread[key] = reason
            return PlanChange("/".join(key), error=error) if is_new else None
        self._unread.pop(key, None)
        if entry is None:
            return None
        plan = entry.plan
        before = self._entries.get(key)
        self._entries[key] = packed
        if plan.uid:
            self._by_uid[plan.uid] = packed
        if not known:
            self._by_name[key[1]] = (*self._by_name.get(key[1], ()), key)
        self._count(plan, 1)
        if known and before:
            self._forget(known.plan, before)
        return PlanChange(str(plan), [str(problem) for problem in plan.settings.problems])

    def _read(self, plan_object: Json, known: _Entry | None) -> _Entry | None:
        """Return the entry of a Plan; None if it is the known one."""
        stamp = self._stamp(plan_object)
        if known and known.stamp == stamp:
            return None
        plan = settings.read(plan_object, self._installation)
        if known:  # managedFields have no record of removed fields
            plan = msgspec.structs.replace(
                plan, settings_modified=max(plan.settings_modified, self._clock())
            )
        return _Entry(_version(plan_object), stamp, plan)

    def _stamp(self, plan_object: Json) -> int:
        """Return a hash of the fields that settings come from."""
        metadata = plan_object["metadata"]
        prefix = self._installation.prefix
        annotations = metadata.get("annotations") or {}
        own = sorted(
            item
            for item in annotations.items()
            if item[0].startswith(prefix) or item[0].partition("/")[2] in settings.ANNOTATIONS
        )
        spec = plan_object.get("spec") or {}
        fields = [spec.get(field) for field in _SPEC_FIELDS]
        unknown = plan_object.get(UNKNOWN_FIELDS)
        seen = (metadata.get("uid"), metadata.get("generation"), own, fields, unknown)
        return hash(_canonical.encode(seen))

    def _count(self, plan: Plan, by: int) -> None:
        self._invalid += by if plan.settings.problems else 0
        for key in minimums.label_keys(plan.settings):
            _add(self._node_keys, key, by)
        _add(self._target_namespaces, plan.target_namespace, by)

    def _forget(self, plan: Plan, packed: bytes) -> None:
        self._count(plan, -1)
        if self._by_uid.get(plan.uid) is packed:  # unless a plan of the same UID has replaced it
            del self._by_uid[plan.uid]


def _add(counter: Counter[str], key: str, by: int) -> None:
    counter[key] += by
    if not counter[key]:
        del counter[key]


def key_of(plan_object: Json) -> Key:
    """Return the namespace and the name of a Plan."""
    metadata = plan_object["metadata"]
    return sys.intern(metadata["namespace"]), metadata["name"]


def _version(plan_object: Json) -> int:
    """Return the resourceVersion, which Kubernetes compares as a number; 0 where there is none."""
    version = plan_object["metadata"].get("resourceVersion", "")
    return int(version) if version.isdecimal() and len(version) < 20 else 0


def _may_own(plan: Plan, ref: PlanRef) -> bool:
    """Return False if `plan`, found by name, has another UID than the pod's plan."""
    return not plan.uid or plan.uid == ref.uid or not _is_uuid(ref.uid)


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True
