"""The plans in memory: settings only, packed, found by UID, by name, or by both."""

import sys
import uuid
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from threading import RLock

import msgspec
import structlog

from webhook import settings
from webhook.forklift.plan import Spec
from webhook.karl import minimums
from webhook.kube.messages import describe_internal_error
from webhook.kube.objects import Json
from webhook.model import (
    Installation,
    Plan,
    PlanRef,
    Reason,
)

log = structlog.get_logger(__name__)

_SPEC_FIELDS = tuple(field.encode_name for field in msgspec.structs.fields(Spec))
_canonical = msgspec.json.Encoder()
_pack = msgspec.msgpack.Encoder()

TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
"""Of the API server."""

Key = tuple[str, str]
"""Namespace and name."""


class _Entry(msgspec.Struct, array_like=True, frozen=True):
    version: int
    stamp: int
    plan: Plan


_unpack = msgspec.msgpack.Decoder(_Entry).decode

_unpacked = lru_cache(256)(_unpack)
"""Of the plans that migrate, so that each of their pods gets the very same value."""


class PlanIndex:
    """Plans by UID, by namespace and name, and by name.

    A Plan in the cluster is tens of kilobytes; what is kept of it is its settings, as one
    `bytes` of a few hundred. Settings as Python objects would take several times the memory,
    and time in every garbage collection. Readers take no lock: each look-up is one dictionary
    access, and an entry is complete before it can be found.
    """

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._writing = RLock()
        self._entries: dict[Key, bytes] = {}
        self._by_uid: dict[str, bytes] = {}
        self._by_name: dict[str, tuple[Key, ...]] = {}
        self._invalid = 0
        self._node_keys: Counter[str] = Counter()
        self._unread: dict[Key, str] = {}

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def invalid(self) -> int:
        """How many plans have settings with problems, or could not be read at all."""
        return self._invalid + len(self._unread)

    @property
    def unread(self) -> dict[Key, str]:
        """Why plans cannot be read as they are now; what they said before, if anything, counts."""
        with self._writing:
            return dict(self._unread)

    @property
    def node_keys(self) -> frozenset[str]:
        """The label keys whose values on the nodes some plan compares."""
        with self._writing:
            return frozenset(self._node_keys)

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

    def put(self, plan_object: Json) -> bool:
        """Take in a Plan, new or changed; return whether its settings are not as known.

        Forklift writes the status of a running plan every few seconds. So what matters of it is
        compared, which is cheap, before its settings are read, which compiles KARL. A version
        that is older than the known one is passed over.
        """
        key, version = key_of(plan_object), _version(plan_object)
        with self._writing:
            known = self._get(key)
            return (not known or version >= known.version) and self._put(key, plan_object, known)

    def discard(self, namespace: str, name: str) -> None:
        """Forget a Plan, if it is known."""
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

    def replace_all(self, plan_objects: Iterable[Json]) -> None:
        """Take in all Plans there are, one at a time, and forget every other.

        When `plan_objects` raises midway nothing is forgotten. One that cannot be read keeps none
        of the others from being read.
        """
        gone = self._entries.keys() | self.unread.keys()
        for plan_object in plan_objects:
            key = key_of(plan_object)
            gone.discard(key)
            with self._writing:  # whatever the version: they go back when a cluster is restored
                self._put(key, plan_object, self._get(key))
        for key in gone:
            self.discard(*key)

    def _get(self, key: Key) -> _Entry | None:
        packed = self._entries.get(key)
        return _unpack(packed) if packed else None

    def _put(self, key: Key, plan_object: Json, known: _Entry | None) -> bool:
        try:
            entry = self._read(plan_object, known)
            packed = _pack.encode(entry) if entry else b""
        except Exception as error:
            # Nothing is known that does this; whatever it is, the other plans are to be read.
            why = f"cannot be read: {describe_internal_error(error)}"
            if self._unread.get(key) != why:
                log.exception("plan cannot be read", plan="/".join(key))
            self._unread[key] = why
            return False
        self._unread.pop(key, None)
        if entry is None:
            return False
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
        if problems := [str(problem) for problem in plan.settings.problems]:
            log.warning("plan has settings that do not apply", plan=str(plan), problems=problems)
        return True

    def _read(self, plan_object: Json, known: _Entry | None) -> _Entry | None:
        """Return what is to be kept of a Plan; None where it is as known."""
        stamp = self._stamp(plan_object)
        if known and known.stamp == stamp:
            return None
        plan = settings.read(plan_object, self._installation)
        if known:  # the API server keeps no record of what was taken away
            seen = datetime.now(UTC).strftime(TIME_FORMAT)
            plan = msgspec.structs.replace(plan, written=max(plan.written, seen))
        return _Entry(_version(plan_object), stamp, plan)

    def _stamp(self, plan_object: Json) -> int:
        """Return a number that stays the same while nothing changes that settings come from."""
        metadata = plan_object["metadata"]
        prefix = self._installation.prefix
        annotations = metadata.get("annotations") or {}
        ours = sorted(
            item
            for item in annotations.items()
            if item[0].startswith(prefix) or item[0].partition("/")[2] in settings.ANNOTATIONS
        )
        spec = plan_object.get("spec") or {}
        fields = [spec.get(field) for field in _SPEC_FIELDS]
        misspelt = sorted(filter(settings.is_misspelt, spec))
        seen = (metadata.get("uid"), metadata.get("generation"), ours, fields, misspelt)
        return hash(_canonical.encode(seen))

    def _count(self, plan: Plan, by: int) -> None:
        self._invalid += by if plan.settings.problems else 0
        for key in minimums.keys(plan.settings):
            self._node_keys[key] += by
            if not self._node_keys[key]:
                del self._node_keys[key]

    def _forget(self, plan: Plan, packed: bytes) -> None:
        self._count(plan, -1)
        if self._by_uid.get(plan.uid) is packed:  # not that of a plan which has taken its place
            del self._by_uid[plan.uid]


def key_of(plan_object: Json) -> Key:
    """Return the namespace and the name of a Plan."""
    metadata = plan_object["metadata"]
    return sys.intern(metadata["namespace"]), metadata["name"]


def _version(plan_object: Json) -> int:
    """Return the resourceVersion, which Kubernetes compares as a number; 0 where there is none."""
    version = plan_object["metadata"].get("resourceVersion", "")
    return int(version) if version.isdecimal() and len(version) < 20 else 0


def _may_own(plan: Plan, ref: PlanRef) -> bool:
    """Whether `plan`, found by name, is not another plan that has had the name before or since."""
    return not plan.uid or plan.uid == ref.uid or not _is_uuid(ref.uid)


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True
