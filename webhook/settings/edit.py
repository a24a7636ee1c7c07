"""How the settings in a Plan's annotations change: `k=v` sets, `k-` removes, as in kubectl."""

from collections.abc import Mapping
from typing import NamedTuple

from webhook.kube.objects import Json

LISTS = ("labels", "node-selector", "tolerations")
"""Settings that are lists of entries, each with something of its own that it is about."""


class AmendError(ValueError):
    """A change that cannot be made; the message begins with the setting."""


class _Id(NamedTuple):
    """What an entry is about: two of them with the same one cannot stand together."""

    key: str
    value: str | None = None
    """Of a toleration, None where every value is tolerated."""
    effect: str = ""
    """Of a toleration; for `kubectl taint`, too, `gpu:NoSchedule` is not `gpu:NoExecute`."""

    def __str__(self) -> str:
        value = "" if self.value is None else f"={self.value}"
        return f"{self.key}{value}{f':{self.effect}' if self.effect else ''}"


def amend(annotations: Mapping[str, str], changes: Mapping[str, str], prefix: str) -> Json:
    """Return the annotations to be merged into a Plan (RFC 7386: None removes).

    Args:
        annotations: the Plan's, as they are.
        changes: by the name of a setting what the user asked for; an empty text removes it. In
            a list an entry replaces the one that is about the same, and `key-` removes what has
            that key; all others stay.
        prefix: of the annotations.

    Raises:
        AmendError: a list says twice what becomes of one entry, or has an entry that says nothing.

    """
    amended: Json = {}
    for name, change in changes.items():
        key = f"{prefix}/{name}"
        before = annotations.get(key)
        after = _amend_list(name, before or "", change) if name in LISTS else change.strip()
        if (after or None) != before:
            amended[key] = after or None
    return amended


def _amend_list(name: str, before: str, change: str) -> str:
    """Return the list after the change; what is wrong in it stays for its reader to tell."""
    if not change.strip():
        return ""
    sets, removes = _read(name, change)
    kept: dict[_Id, str] = {}
    for entry in _entries(before):
        kept.setdefault(_id(name, entry), entry)  # of two the first is what counts
    for removed in removes:
        kept = {each: entry for each, entry in kept.items() if not _covers(removed, each)}
    after = list((kept | sets).values())
    return before if after == _entries(before) else ",".join(after)


def _read(name: str, change: str) -> tuple[dict[_Id, str], list[_Id]]:
    """Return what a change sets, and what it removes."""
    sets: dict[_Id, str] = {}
    removes: list[_Id] = []
    for number, entry in enumerate(map(str.strip, change.split(",")), 1):
        where = f"{name} entry {number}"
        if not entry:  # of a script, mostly: "$A,$B" where one of them is not set
            raise AmendError(f"{where}: is empty; only a value that is empty as a whole removes")
        if entry.endswith("-") and ("=" not in entry or name == "tolerations"):
            removed = _id(name, entry[:-1])
            if not removed.key or entry[:-1].endswith(":"):
                raise AmendError(f"{where}: expected what to remove before '-', found '{entry}'")
            removes.append(removed)
            continue
        identity = _id(name, entry)
        if identity in sets:
            raise _said_twice(name, identity)
        sets[identity] = entry
    for index, removed in enumerate(removes):
        if removed in removes[:index]:
            raise _said_twice(name, removed)
        for identity in sets:
            if _covers(removed, identity):
                raise _said_twice(name, identity)
    return sets, removes


def _said_twice(name: str, identity: _Id) -> AmendError:
    return AmendError(f"{name}: what becomes of '{identity}' is said twice")


def _entries(text: str) -> list[str]:
    return [entry.strip() for entry in text.split(",") if entry.strip()]


def _id(name: str, entry: str) -> _Id:
    """Return what an entry is about; of a toleration all of it, as for the API server."""
    if name != "tolerations":
        return _Id(entry.partition("=")[0].strip())
    taint, _, effect = entry.partition(":")
    key, equals, value = taint.partition("=")
    return _Id(key.strip(), value.strip() if equals else None, effect.strip())


def _covers(removed: _Id, entry: _Id) -> bool:
    """Whether what is removed is this entry; `gpu-` is all that is said of gpu."""
    return (
        removed.key == entry.key
        and (removed.value is None or removed.value == entry.value)
        and (not removed.effect or removed.effect == entry.effect)
    )
