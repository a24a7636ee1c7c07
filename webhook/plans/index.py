"""The plans in memory: settings only, packed, found by UID, by name, or by both."""

import sys
import uuid
from collections.abc import Iterable
from threading import RLock
from typing import NamedTuple

import msgspec
import structlog

from webhook import atleast, settings
from webhook.model import Installation, Json, Plan, PlanRef, Reason
from webhook.plans.objects import Spec

log = structlog.get_logger(__name__)

_SPEC_FIELDS = tuple(field.encode_name for field in msgspec.structs.fields(Spec))
_canonical = msgspec.json.Encoder()
_pack = msgspec.msgpack.Encoder()
_unpack = msgspec.msgpack.Decoder(Plan)

Key = tuple[str, str]
"""Namespace and name."""


class _Entry(NamedTuple):
    uid: str
    version: int
    stamp: int
    packed: bytes


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
        self._entries: dict[Key, _Entry] = {}
        self._by_uid: dict[str, Key] = {}
        self._by_name: dict[str, tuple[Key, ...]] = {}
        self._invalid: set[Key] = set()
        self._node_keys: dict[Key, frozenset[str]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def invalid(self) -> int:
        """How many plans have settings with problems."""
        return len(self._invalid)

    @property
    def node_keys(self) -> frozenset[str]:
        """The label keys whose values on the nodes some plan compares."""
        with self._writing:
            return frozenset[str]().union(*self._node_keys.values())

    def find(self, ref: PlanRef) -> Plan | Reason:
        """Return the plan that `ref` means, or PLAN_NOT_FOUND or PLAN_AMBIGUOUS."""
        if ref.uid and (key := self._by_uid.get(ref.uid)) and (plan := self._get(key)):
            return plan
        full = (ref.namespace, ref.name)
        keys = (full,) if ref.namespace else self._by_name.get(ref.name, ())
        plans = [plan for key in keys if (plan := self._get(key)) and _may_own(plan, ref)]
        if len(plans) > 1:
            return Reason.PLAN_AMBIGUOUS
        return plans[0] if plans else Reason.PLAN_NOT_FOUND

    def put(self, plan_object: Json) -> bool:
        """Take in a Plan, new or changed; return whether its settings are not as known.

        Forklift writes the status of a running plan every few seconds. So what matters of it is
        compared, which is cheap, before its settings are read, which compiles KARL. A version
        that is older than the known one is passed over.
        """
        key = key_of(plan_object)
        with self._writing:
            known = self._entries.get(key)
            if known and _version(plan_object) < known.version:
                return False
            return self._put(key, plan_object)

    def discard(self, namespace: str, name: str) -> None:
        """Forget a Plan, if it is known."""
        key = (namespace, name)
        with self._writing:
            entry = self._entries.pop(key, None)
            if entry is None:
                return
            self._forget_uid(entry.uid, key)
            if others := tuple(other for other in self._by_name[name] if other != key):
                self._by_name[name] = others
            else:
                del self._by_name[name]
            self._invalid.discard(key)
            self._node_keys.pop(key, None)

    def replace_all(self, plan_objects: Iterable[Json]) -> None:
        """Take in all Plans there are, one at a time, and forget every other.

        When `plan_objects` raises midway nothing is forgotten.
        """
        gone = set(self._entries)
        for plan_object in plan_objects:
            key = key_of(plan_object)
            gone.discard(key)
            self._put(key, plan_object)  # versions go back when a cluster is restored
        for key in gone:
            self.discard(*key)

    def _put(self, key: Key, plan_object: Json) -> bool:
        stamp = self._stamp(plan_object)
        with self._writing:
            known = self._entries.get(key)
            if known and known.stamp == stamp:
                return False
            plan = settings.read(plan_object, self._installation)
            if known:
                self._forget_uid(known.uid, key)
            else:
                self._by_name[key[1]] = (*self._by_name.get(key[1], ()), key)
            version = _version(plan_object)
            self._entries[key] = _Entry(plan.uid, version, stamp, _pack.encode(plan))
            if plan.uid:
                self._by_uid[plan.uid] = key
            self._note(key, plan)
        return True

    def _get(self, key: Key) -> Plan | None:
        entry = self._entries.get(key)
        return _unpack.decode(entry.packed) if entry else None

    def _stamp(self, plan_object: Json) -> int:
        """Return a number that stays the same while nothing changes that settings come from."""
        metadata = plan_object["metadata"]
        prefix = self._installation.prefix
        annotations = metadata.get("annotations") or {}
        ours = sorted(item for item in annotations.items() if item[0].startswith(prefix))
        spec = plan_object.get("spec") or {}
        fields = [spec.get(field) for field in _SPEC_FIELDS]
        seen = (metadata.get("uid"), metadata.get("generation"), ours, fields)
        return hash(_canonical.encode(seen))

    def _note(self, key: Key, plan: Plan) -> None:
        if plan.settings.problems:
            self._invalid.add(key)
            problems = [str(problem) for problem in plan.settings.problems]
            log.warning(
                "plan has settings that cannot be applied", plan=str(plan), problems=problems
            )
        else:
            self._invalid.discard(key)
        if keys := atleast.keys(plan.settings):
            self._node_keys[key] = keys
        else:
            self._node_keys.pop(key, None)

    def _forget_uid(self, uid: str, key: Key) -> None:
        if self._by_uid.get(uid) == key:
            del self._by_uid[uid]


def key_of(plan_object: Json) -> Key:
    """Return the namespace and the name of a Plan."""
    metadata = plan_object["metadata"]
    return sys.intern(metadata["namespace"]), metadata["name"]


def _version(plan_object: Json) -> int:
    """Return the resourceVersion, which Kubernetes compares as a number; 0 where there is none."""
    version = plan_object["metadata"].get("resourceVersion", "")
    return int(version) if version.isdecimal() else 0


def _may_own(plan: Plan, ref: PlanRef) -> bool:
    """Whether `plan`, found by name, is not another plan that has had the name before or since."""
    return not plan.uid or plan.uid == ref.uid or not _is_uuid(ref.uid)


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True
