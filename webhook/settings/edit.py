"""Edits of the settings in a Plan's annotations: `k=v` sets, `k-` removes, as in kubectl."""

from collections.abc import Mapping
from typing import NamedTuple

from webhook.kube.objects import Json
from webhook.settings.names import LISTS, without_role
from webhook.settings.structured import describe_pairs, describe_tolerations


class EditError(ValueError):
    """The requested change is contradictory or has another form; the setting is in front."""


class _EntryKey(NamedTuple):
    """The key of an entry: a list has at most one entry of each."""

    key: str
    value: str | None = None
    """Of a toleration; None if it tolerates every value."""
    effect: str = ""
    """Of a toleration; for `kubectl taint`, too, `gpu:NoSchedule` is not `gpu:NoExecute`."""

    def __str__(self) -> str:
        value = "" if self.value is None else f"={self.value}"
        return f"{self.key}{value}{f':{self.effect}' if self.effect else ''}"


_Removes = dict[str, dict[_EntryKey, None]]
"""The entries that a change removes, by their key."""


def edit_annotations(
    annotations: Mapping[str, str], changes: Mapping[str, str], prefix: str
) -> Json:
    """Return the annotations to be merged into a Plan (RFC 7386: None removes).

    Args:
        annotations: those that the Plan has.
        changes: the requested text of each setting; an empty text removes it. In a list an entry
            replaces the one of the same key, and `key-` removes the entries of that key; all
            others stay.
        prefix: the prefix of the annotations.

    Raises:
        EditError: a list sets or removes one entry twice, has an empty entry, or is JSON or YAML.

    """
    edited: Json = {}
    for name, change in changes.items():
        key = f"{prefix}/{name}"
        before = annotations.get(key)
        after = (
            _edit_list(name, before or "", change)
            if without_role(name) in LISTS
            else change.strip()
        )
        if (after or None) != before:
            edited[key] = after or None
    return edited


def _edit_list(name: str, before: str, change: str) -> str:
    """Return the list after the change; invalid entries stay, and are reported by its reader."""
    if not change.strip():
        return ""
    describe = describe_tolerations if _has_tolerations(name) else describe_pairs
    if wrong := describe(change):  # its commas do not separate entries of the list
        raise EditError(f"{name}: {wrong}")
    sets, removes = _parse_change(name, change)
    kept: dict[_EntryKey, str] = {}
    for entry in _entries(before):
        kept.setdefault(_key_of(name, entry), entry)  # of two, the first is applied
    after = [entry for each, entry in (kept | sets).items() if not _find_removed(removes, each)]
    return before if after == _entries(before) else ",".join(after)


def _parse_change(name: str, change: str) -> tuple[dict[_EntryKey, str], _Removes]:
    """Return the entries that a change sets, and those that it removes."""
    sets: dict[_EntryKey, str] = {}
    removes: _Removes = {}
    for number, entry in enumerate(map(str.strip, change.split(",")), 1):
        where = f"{name} entry {number}"
        if not entry:  # usually a script's "$A,$B" with one of them unset
            raise EditError(f"{where}: is empty; only an empty value removes the whole setting")
        if entry.endswith("-") and ("=" not in entry or _has_tolerations(name)):
            removed = _key_of(name, entry[:-1])
            if not removed.key or entry[:-1].endswith(":"):
                raise EditError(f"{where}: expected a key before '-', found '{entry}'")
            of_key = removes.setdefault(removed.key, {})
            if removed in of_key:
                raise _conflict(name, removed)
            of_key[removed] = None
            continue
        entry_key = _key_of(name, entry)
        if entry_key in sets:
            raise _conflict(name, entry_key)
        sets[entry_key] = entry
    for entry_key in sets:
        if _find_removed(removes, entry_key):
            raise _conflict(name, entry_key)
    return sets, removes


def _find_removed(removes: _Removes, entry: _EntryKey) -> _EntryKey | None:
    """Return what removes an entry, or None."""
    return next((each for each in removes.get(entry.key, ()) if _matches(each, entry)), None)


def _conflict(name: str, entry_key: _EntryKey) -> EditError:
    return EditError(f"{name}: '{entry_key}' is set or removed twice")


def _has_tolerations(name: str) -> bool:
    return without_role(name) == "tolerations"


def _entries(text: str) -> list[str]:
    return [entry.strip() for entry in text.split(",") if entry.strip()]


def _key_of(name: str, entry: str) -> _EntryKey:
    """Return the key of an entry; for a toleration it is all of it, as for the API server."""
    if not _has_tolerations(name):
        return _EntryKey(entry.partition("=")[0].strip())
    taint, _, effect = entry.partition(":")
    key, equals, value = taint.partition("=")
    return _EntryKey(key.strip(), value.strip() if equals else None, effect.strip())


def _matches(removed: _EntryKey, entry: _EntryKey) -> bool:
    """Return whether this entry is removed; `gpu-` removes all tolerations of gpu."""
    return (
        removed.key == entry.key
        and (removed.value is None or removed.value == entry.value)
        and (not removed.effect or removed.effect == entry.effect)
    )
