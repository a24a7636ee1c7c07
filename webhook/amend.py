"""How the settings in a Plan's annotations change: `k=v` sets, `k-` removes, as in kubectl."""

from collections.abc import Mapping
from typing import NamedTuple

from webhook.model import Json

LISTS = ("labels", "node-selector", "tolerations")
"""Settings that are lists of entries, each with a key of its own."""


class AmendError(ValueError):
    """A change that says two things at once."""


class _Id(NamedTuple):
    """What an entry is about: two of them with the same one cannot stand together."""

    key: str
    effect: str = ""
    """Of a toleration; for `kubectl taint`, too, `gpu:NoSchedule` is not `gpu:NoExecute`."""


def amend(annotations: Mapping[str, str], changes: Mapping[str, str], prefix: str) -> Json:
    """Return the annotations to be merged into a Plan (RFC 7386: None removes).

    Args:
        annotations: the Plan's, as they are.
        changes: by the name of a setting what the user asked for; an empty text removes it. In
            a list an entry replaces the one that is about the same, and `key-` removes what has
            that key; all others stay.
        prefix: of the annotations.

    Raises:
        AmendError: a list says twice what becomes of one entry.

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
    if not _entries(change):
        return ""
    amended: dict[_Id, str] = {}
    for entry in _entries(before):
        amended.setdefault(_id(name, entry), entry)  # of two the first is what counts
    changed: set[_Id] = set()
    for entry in _entries(change):
        removes = entry.endswith("-") and ("=" not in entry or name == "tolerations")
        identity = _id(name, entry.removesuffix("-") if removes else entry)
        if identity in changed:
            raise AmendError(f"what becomes of '{identity.key}' is said twice")
        changed.add(identity)
        if not removes:
            amended[identity] = entry
        for other in [each for each in amended if removes and _covers(identity, each)]:
            del amended[other]
    after = list(amended.values())
    return before if after == _entries(before) else ",".join(after)


def _entries(text: str) -> list[str]:
    return [entry.strip() for entry in text.split(",") if entry.strip()]


def _id(name: str, entry: str) -> _Id:
    if name != "tolerations":
        return _Id(entry.partition("=")[0].strip())
    taint, _, effect = entry.partition(":")
    return _Id(taint.partition("=")[0].strip(), effect.strip())


def _covers(removed: _Id, entry: _Id) -> bool:
    """Whether what is removed is this entry; `gpu-` is all that is said of gpu."""
    return removed == entry or (removed.key == entry.key and not removed.effect)
